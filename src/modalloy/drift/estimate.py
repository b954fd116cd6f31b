"""How well rows are answered of which nobody knows the truth, by how sure the answers are."""

from typing import NamedTuple

import numpy as np

ROUNDS = 200  # in which rows are drawn anew, for the interval
BINS = 10  # of widths, each with its own mean error
FEWEST = 30  # held-back rows with a truth, below which nothing is estimated


class Estimate(NamedTuple):
    """A figure with its 95 % interval, and what each way to estimate it says."""

    value: float
    low: float
    high: float
    ways: dict[str, float]


def estimate_accuracy(
    sure_V: np.ndarray, right_V: np.ndarray, sure_B: np.ndarray, *, draw: np.random.Generator
) -> Estimate | None:
    """The share of B rows that is answered right; None where too little is known.

    sure_V, right_V: of rows with a truth that nothing was learned from; right may be a share. It is
    the accuracy there less the difference of the mean confidences (Guillory et al. 2021,
    2107.03315). Beside it stand the plain mean confidence, and the share above the threshold that
    as many of those rows pass as are right (ATC, Garg et al. 2022, 2201.04234). The interval is of
    both sets drawn anew and of chance in B rows, and holds what every way says.
    """
    if len(sure_V) < FEWEST or not len(sure_B):
        return None
    ways = {
        "average confidence": float(sure_B.mean()),
        "difference of confidences": by_difference(sure_V, right_V, sure_B),
        "average thresholded confidence": by_threshold(sure_V, right_V, sure_B),
    }
    value, found = ways["difference of confidences"], []
    for _ in range(ROUNDS):
        v, b = (
            draw.integers(0, len(sure_V), len(sure_V)),
            draw.integers(0, len(sure_B), len(sure_B)),
        )
        once = by_difference(sure_V[v], right_V[v], sure_B[b])
        found.append(draw.binomial(len(sure_B), once) / len(sure_B))
    low, high = np.quantile(found, [0.025, 0.975])
    low, high = min(low, *ways.values()), max(high, *ways.values())
    return Estimate(value, float(max(low, 0.0)), float(min(high, 1.0)), ways)


def by_difference(sure_V: np.ndarray, right_V: np.ndarray, sure_B: np.ndarray) -> float:
    """Accuracy less the difference of mean confidences."""
    return float(np.clip(right_V.mean() - sure_V.mean() + sure_B.mean(), 0.0, 1.0))


def by_threshold(sure_V: np.ndarray, right_V: np.ndarray, sure_B: np.ndarray) -> float:
    """The share of rows above the threshold that as many known rows pass as are right."""
    limit = np.quantile(sure_V, np.clip(1.0 - right_V.mean(), 0.0, 1.0))
    known = (sure_V > limit).mean() + (sure_V == limit).mean() / 2.0
    off = right_V.mean() - known  # rows that are exactly as sure as the threshold
    return float(np.clip((sure_B > limit).mean() + (sure_B == limit).mean() / 2.0 + off, 0.0, 1.0))


def estimate_error(
    width_V: np.ndarray, error_V: np.ndarray, width_B: np.ndarray, *, draw: np.random.Generator
) -> Estimate | None:
    """The mean size of the errors of B rows, by how wide their intervals are; None where too little
    is known, and where all are as wide.

    width_V, error_V: of rows with a truth that nothing was learned from. The mean of two ways: the
    mean error of known rows of the same width, in ten bins, and their error times how much wider
    intervals are now. The interval is of both sets drawn anew, and as wide as the ways disagree.
    """
    if len(width_V) < FEWEST or not len(width_B) or not np.ptp(width_V):
        return None
    ways = {
        "errors of like widths": by_width(width_V, error_V, width_B),
        "ratio of widths": by_ratio(width_V, error_V, width_B),
    }
    found = []
    for _ in range(ROUNDS):
        v = draw.integers(0, len(width_V), len(width_V))
        b = draw.integers(0, len(width_B), len(width_B))
        given = width_V[v], error_V[v], width_B[b]
        noise = draw.normal() * error_V.std() / np.sqrt(len(width_B))
        found.append((by_width(*given) + by_ratio(*given)) / 2.0 + noise)
    low, high = np.quantile(found, [0.025, 0.975])
    low, high = min(low, *ways.values()), max(high, *ways.values())
    return Estimate(float(np.mean([*ways.values()])), float(max(low, 0.0)), float(high), ways)


def by_width(width_V: np.ndarray, error_V: np.ndarray, width_B: np.ndarray) -> float:
    """Each row's error is the mean of known rows whose intervals are about as wide."""
    edges = np.unique(np.quantile(width_V, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    bin_V = np.searchsorted(edges, width_V)
    count_K = np.bincount(bin_V, minlength=len(edges) + 1)
    sum_K = np.bincount(bin_V, weights=error_V, minlength=len(edges) + 1)
    mean_K = np.where(count_K > 0, sum_K / np.maximum(count_K, 1), error_V.mean())
    return float(mean_K[np.searchsorted(edges, width_B)].mean())


def by_ratio(width_V: np.ndarray, error_V: np.ndarray, width_B: np.ndarray) -> float:
    """The known mean error times how much wider intervals are on average."""
    known = float(width_V.mean())
    return float(error_V.mean() * (width_B.mean() / known if known > 0 else 1.0))
