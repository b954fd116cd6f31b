"""Usual methods of spare parts: from what was sold before, how many to order up to."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

WINDOW = 24  # periods that short memories look back
SMOOTHING = 0.1  # of Croston's method and its kin

Level = Callable[[np.ndarray], np.ndarray]


class Cover(NamedTuple):
    """What an order has to last for. periods: lead time and review. share: of cases in which it
    should suffice.
    """

    periods: int
    share: float


def methods_for(cover: Cover) -> dict[str, Level]:
    """Each method by name: sales before a period (I, T) in, levels (I,) out."""
    rates: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        f"mean of {WINDOW} periods, Poisson": lambda past_IT: past_IT[:, -WINDOW:].mean(1),
        "mean of all periods, Poisson": lambda past_IT: past_IT.mean(1),
        "Croston, Poisson": partial(croston, kind="croston"),
        "SBA, Poisson": partial(croston, kind="sba"),
        "TSB, Poisson": tsb,
    }
    found: dict[str, Level] = {f"quantile of {WINDOW} periods": partial(own_quantile, cover=cover)}
    for name, rate in rates.items():
        found[name] = partial(of_rate, rate=rate, cover=cover)
    return found


def own_quantile(past_IT: np.ndarray, *, cover: Cover) -> np.ndarray:
    """The quantile of an item's own sums over as many periods, in its last `WINDOW` periods."""
    sums_IT = sums_of(past_IT[:, -WINDOW:], cover.periods)
    return np.quantile(sums_IT, cover.share, axis=1, method="higher")


def sums_of(x_IT: np.ndarray, periods: int) -> np.ndarray:
    """Sums over each so many periods in a row, (I, T - periods + 1)."""
    up_to = np.pad(x_IT, ((0, 0), (1, 0))).cumsum(1)
    return up_to[:, periods:] - up_to[:, :-periods]


def of_rate(past_IT: np.ndarray, *, rate: Level, cover: Cover) -> np.ndarray:
    """The quantile of a Poisson distribution with this rate a period."""
    return poisson_quantile(cover.periods * rate(past_IT), cover.share)


def poisson_quantile(mean_I: np.ndarray, share: float) -> np.ndarray:
    """The lowest count that is not exceeded with this chance."""
    with np.errstate(divide="ignore"):
        log_mean_I = np.log(mean_I)
    log_p_I, found_I = -mean_I, np.zeros(len(mean_I))
    up_to_I = np.exp(log_p_I)
    count = 0
    while (short_I := up_to_I < share - 1e-12).any():
        found_I += short_I
        count += 1
        log_p_I = log_p_I + log_mean_I - np.log(count)
        up_to_I = up_to_I + np.exp(log_p_I)
    return found_I


def croston(past_IT: np.ndarray, *, kind: Literal["croston", "sba"]) -> np.ndarray:
    """Smoothed size of a sale over the smoothed time between two (Croston 1972), with `sba` less
    half the smoothing (Syntetos & Boylan 2005); 0 where nothing was sold.
    """
    size_I, gap_I, since_I = (np.zeros(len(past_IT)) for _ in range(3))
    for sold_I in past_IT.T:
        since_I = since_I + 1.0
        some_I, first_I = sold_I > 0, size_I == 0
        smooth_I = np.where(first_I, 1.0, SMOOTHING)
        size_I = np.where(some_I, size_I + smooth_I * (sold_I - size_I), size_I)
        gap_I = np.where(some_I, gap_I + smooth_I * (since_I - gap_I), gap_I)
        since_I = np.where(some_I, 0.0, since_I)
    less = 1.0 - SMOOTHING / 2.0 if kind == "sba" else 1.0
    return less * size_I / np.maximum(gap_I, 1.0)


def tsb(past_IT: np.ndarray) -> np.ndarray:
    """Smoothed size of a sale times the smoothed chance of one, which falls while nothing is sold
    (Teunter, Syntetos & Babai 2011). Begins at the first year's means.
    """
    year_IT = past_IT[:, :12]
    chance_I = (year_IT > 0).mean(1)
    size_I = year_IT.sum(1) / np.maximum((year_IT > 0).sum(1), 1)
    for sold_I in past_IT.T:
        some_I = sold_I > 0
        moved_I = np.where(size_I == 0, sold_I, size_I + SMOOTHING * (sold_I - size_I))
        size_I = np.where(some_I, moved_I, size_I)
        chance_I = chance_I + SMOOTHING * (some_I - chance_I)
    return chance_I * size_I
