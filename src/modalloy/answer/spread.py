"""How far off a number mostly is, by the number that is answered: what makes the intervals of some
rows wider than those of others (normalised conformal scores, Papadopoulos et al. 2002).
"""

from typing import NamedTuple, Self

import numpy as np

FEWEST = 100  # rows that a spread is learned from
BINS = 10  # of as many rows each, between whose middles the spread goes straight
PULL = 5.0  # rows' worth of the mean error in each bin
LEAST = 0.1  # of the mean error: no spread is less
SURE = 2.0  # standard errors by which a spread must tell errors better than their mean
PARTS = 5  # each is told by what the others say


class Spread(NamedTuple):
    """Mean sizes of errors at some answers, in rising order; flat before the first and behind the
    last. Both on the scale of `value`."""

    at_K: tuple[float, ...]
    size_K: tuple[float, ...]

    def of(self, value_B: np.ndarray) -> np.ndarray:
        """How far off each answer mostly is, (B,) float64."""
        return np.interp(np.asarray(value_B, dtype=np.float64), self.at_K, self.size_K)

    @classmethod
    def fit(cls, value_N: np.ndarray, error_N: np.ndarray) -> Self:
        """From answers and the sizes of their errors, both (N,), of at least BINS rows."""
        mean = max(float(error_N.mean()), np.finfo(np.float64).tiny)
        bins = np.array_split(np.argsort(value_N, kind="stable"), BINS)
        at = [float(value_N[own].mean()) for own in bins]
        sums = [float(error_N[own].sum()) + PULL * mean for own in bins]
        sizes = [
            max(s / (len(own) + PULL), LEAST * mean) for s, own in zip(sums, bins, strict=True)
        ]
        return cls(tuple(at), tuple(sizes))


def learn_spread(value_N: np.ndarray, error_N: np.ndarray) -> tuple[Spread, np.ndarray] | None:
    """A spread, and beside it each row's by what the other four fifths of the rows say, (N,).

    None where rows are fewer than FEWEST, and where the rows of the other fifths do not surely tell
    errors better than their mean does, by the likelihood of a Laplace distribution. What is learned
    in fifths so depends on no row's own error, and conformal scores keep their promise.
    """
    if len(value_N) < FEWEST or not error_N.any():
        return None
    part_N = np.argsort(np.argsort(value_N, kind="stable"), kind="stable") % PARTS
    size_N, plain_N = np.empty(len(value_N)), np.empty(len(value_N))
    for part in range(PARTS):
        own = part_N == part
        size_N[own] = Spread.fit(value_N[~own], error_N[~own]).of(value_N[own])
        plain_N[own] = max(error_N[~own].mean(), np.finfo(np.float64).tiny)
    told, mean = (np.log(s_N) + error_N / s_N for s_N in (size_N, plain_N))
    gain_N = mean - told
    if gain_N.mean() <= SURE * gain_N.std() / np.sqrt(len(gain_N)):
        return None
    return Spread.fit(value_N, error_N), size_N
