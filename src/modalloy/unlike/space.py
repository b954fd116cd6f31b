"""How far rows are from training rows in one space, and how rare such a distance is.

Numpy alone; a row is judged by itself, so that it is judged alike in any company.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

NEIGHBOURS = 5  # the distance is that to the fifth nearest training row
KNEE = 0.9  # share of ordinary distances below the tail
LEAST_SLOPE = 0.05  # of a tail, in deviations of the space: no finer difference is rare
ENOUGH_BEYOND = 10  # distances above the knee that tell how heavy the tail is
HEAVIEST = 0.5  # shape of a tail; heavier ones have no variance
FLATTEST = 0.1  # least deviation of a dimension, over that of all of them
BLOCK = 64  # rows that are compared together
LARGEST = 1e4  # deviations from the centre at which float16 still tells rows apart


class Tail(NamedTuple):
    """How rare large distances are among rows like those of training.

    Below the knee the logarithm of the rarity rises evenly; above it the excess has a generalised
    Pareto distribution (peaks over threshold, Pickands 1975), so that a row far beyond all others
    that were ever seen has a rarity, too. shape: 0 of an exponential tail, larger of a heavier one,
    as numbers that are now and then far off have.
    """

    knee: float
    digits: float  # of the rarity at the knee: -log10 of the share of rows beyond it
    slope: float  # scale of the excess over the knee
    shape: float = 0.0

    @classmethod
    def fit(cls, distance_N: np.ndarray, least: float = LEAST_SLOPE) -> Self:
        """From distances of rows that are no references; shape and scale by probability-weighted
        moments (Hosking & Wallis 1987).
        """
        knee = float(np.quantile(distance_N, KNEE))
        over_M = distance_N[distance_N > knee] - knee
        share = max(len(over_M), 1) / (len(distance_N) + 1)
        digits = float(-np.log10(share))
        if not len(over_M):
            return cls(knee, digits, least)
        mean, shape = float(over_M.mean()), shape_of(over_M)
        return cls(knee, digits, max(mean * (1.0 - shape), least), shape)

    def rarity(self, distance_B: np.ndarray) -> np.ndarray:
        """-log10 of the share of rows with a distance like this or larger; NaN stays."""
        slope = self.digits / self.knee if self.knee > 0 else 0.0
        over_B = np.maximum(distance_B - self.knee, 0.0) / self.slope
        if self.shape:
            over_B = np.log1p(self.shape * over_B) / self.shape
        beyond_B = self.digits + over_B / np.log(10.0)
        found_B = np.where(distance_B > self.knee, beyond_B, slope * distance_B)
        return np.where(np.isfinite(distance_B), found_B, np.nan)

    def distance(self, share: float) -> float:
        """The distance beyond which this share of rows lies; the knee for a larger share."""
        over = np.log(10.0) * max(0.0, -np.log10(share) - self.digits)
        if self.shape:
            over = np.expm1(self.shape * over) / self.shape
        return float(self.knee + self.slope * over)


def shape_of(over_M: np.ndarray) -> float:
    """How heavy a tail is by its excesses, from 0 to `HEAVIEST`; 0 for few of them."""
    if len(over_M) < ENOUGH_BEYOND:
        return 0.0
    above_M = 1.0 - (np.arange(len(over_M)) + 0.65) / len(over_M)
    mean, weighted = float(over_M.mean()), float((above_M * np.sort(over_M)).mean())
    apart = mean - 2.0 * weighted
    if apart <= 0.0:
        return HEAVIEST
    return float(np.clip(2.0 - mean / apart, 0.0, HEAVIEST))


class Space:
    """Training rows in one space: (R, F) float16, in deviations from its centre.

    The distance of a row is that to its `NEIGHBOURS`-th nearest reference, by the root of the mean
    square over dimensions (Sun et al. 2022, 2204.06507, who normalise the vectors' lengths
    instead).
    """

    def __init__(self, center_F: np.ndarray, scale_F: np.ndarray, rows_RF: np.ndarray) -> None:
        self.center_F, self.scale_F, self.rows_RF = center_F, scale_F, rows_RF

    @classmethod
    def fit(cls, x_RF: np.ndarray) -> Self:
        """The space of these references; all finite."""
        x_RF = np.asarray(x_RF, dtype=np.float64)
        spread_F = x_RF.std(0)
        whole = float(np.sqrt((spread_F**2).mean())) or 1.0
        blank = cls(
            x_RF.mean(0).astype(np.float32),
            np.maximum(spread_F, FLATTEST * whole).astype(np.float32),
            np.zeros((0, x_RF.shape[1]), dtype=np.float16),
        )
        return cls(blank.center_F, blank.scale_F, blank.scaled(x_RF).astype(np.float16))

    @cached_property
    def references_RF(self) -> np.ndarray:
        """The references in float64."""
        return self.rows_RF.astype(np.float64)

    @cached_property
    def squares_R(self) -> np.ndarray:
        """Their squared lengths."""
        return np.einsum("rf,rf->r", self.references_RF, self.references_RF)

    @cached_property
    def line_R(self) -> np.ndarray:
        """The references of a space of one dimension, ascending."""
        return np.sort(self.references_RF[:, 0])

    def scaled(self, x_BF: np.ndarray) -> np.ndarray:
        """Rows in deviations from the centre, float64."""
        z_BF = (np.asarray(x_BF, dtype=np.float64) - self.center_F) / self.scale_F
        return z_BF.clip(-LARGEST, LARGEST)

    def distances(self, x_BF: np.ndarray) -> np.ndarray:
        """Of rows that are no references, (B,); NaN for rows with a value that is not finite."""
        z_BF = self.scaled(x_BF)
        found_B = np.full(len(z_BF), np.nan)
        there = np.flatnonzero(np.isfinite(z_BF).all(1))
        nearest = self.nearest_on_line if z_BF.shape[1] == 1 else self.nearest
        found_B[there] = nearest(z_BF[there])
        return found_B

    def apart(self, groups: Sequence[str] | None = None) -> np.ndarray:
        """Distances of the references themselves, each from all others, (R,); with groups from the
        rows of all other groups. NaN where too few of these are there.
        """
        label_R = np.arange(len(self.rows_RF)) if groups is None else np.array(groups)
        return self.nearest(self.references_RF, label_R)

    def nearest(self, z_BF: np.ndarray, label_R: np.ndarray | None = None) -> np.ndarray:
        """Distances of scaled rows; with labels the rows are the references, and no reference of
        the same label counts.

        Blocks have one size, filled up with copies, so that a row's products never hang on how many
        rows there are.
        """
        found_B = np.empty(len(z_BF))
        k = min(NEIGHBOURS, len(self.rows_RF)) - 1
        for start in range(0, len(z_BF), BLOCK):
            some = np.minimum(np.arange(start, start + BLOCK), len(z_BF) - 1)
            own_BF = z_BF[some]
            square_BR = self.squares_R - 2.0 * (own_BF @ self.references_RF.T)
            square_BR += np.einsum("bf,bf->b", own_BF, own_BF)[:, None]
            if label_R is not None:
                square_BR[label_R[some][:, None] == label_R] = np.inf
            square_B = np.partition(square_BR, k, axis=1)[:, k]
            found_B[some] = np.sqrt(np.maximum(square_B, 0.0) / z_BF.shape[1])
        return np.where(np.isfinite(found_B), found_B, np.nan)

    def nearest_on_line(self, z_B1: np.ndarray) -> np.ndarray:
        """The same of one dimension: the nearest are beside the place where a row would stand."""
        k = min(NEIGHBOURS, len(self.line_R))
        at_BK = np.searchsorted(self.line_R, z_B1) + np.arange(-k, k)
        inside_BK = (at_BK >= 0) & (at_BK < len(self.line_R))
        away_BK = np.abs(self.line_R[at_BK.clip(0, len(self.line_R) - 1)] - z_B1)
        return np.partition(np.where(inside_BK, away_BK, np.inf), k - 1, axis=1)[:, k - 1]
