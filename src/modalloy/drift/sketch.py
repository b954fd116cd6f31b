"""The distribution of a number as quantiles: what is kept of a column in place of its cells."""

from typing import NamedTuple, Self

import numpy as np

POINTS = 257  # quantiles that are kept, both ends among them


class Sketch(NamedTuple):
    """Quantiles of N finite numbers at even steps from 0 to 1, ascending. count: N."""

    count: int
    points_K: np.ndarray

    @classmethod
    def of(cls, x_N: np.ndarray) -> Self:
        """From numbers, of which those that are not finite are left out."""
        known_N = np.sort(np.asarray(x_N, dtype=np.float64)[np.isfinite(x_N)])
        if not len(known_N):
            return cls(0, np.zeros(0))
        # Quantiles that are numbers of the column: a value that many rows have stays one value.
        at_K = np.linspace(0.0, len(known_N) - 1.0, min(POINTS, len(known_N))).round().astype(int)
        return cls(len(known_N), known_N[at_K])

    @property
    def resolution(self) -> float:
        """The share of rows between two quantiles."""
        return 1.0 / max(len(self.points_K) - 1, 1)

    def below(self, x_B: np.ndarray, *, strictly: bool = False) -> np.ndarray:
        """The share of training numbers at or below each number, (B,); with `strictly` below it."""
        points_K, last = self.points_K, len(self.points_K) - 1
        if last < 1:
            known = points_K[0] if len(points_K) else np.nan
            return (known < x_B if strictly else known <= x_B).astype(np.float64)
        left_B = np.searchsorted(points_K, x_B, "left")
        right_B = np.searchsorted(points_K, x_B, "right")
        after_B = np.clip(left_B, 1, last)
        low_B, high_B = points_K[after_B - 1], points_K[after_B]
        gap_B = np.where(high_B > low_B, high_B - low_B, 1.0)
        between_B = (after_B - 1 + np.clip((x_B - low_B) / gap_B, 0.0, 1.0)) / last
        on_B = (left_B if strictly else right_B - 1) / last  # of a number that is a quantile
        share_B = np.where(right_B > left_B, on_B, between_B)
        share_B = np.where(x_B < points_K[0], 0.0, np.where(x_B > points_K[-1], 1.0, share_B))
        return share_B if strictly else np.where(x_B >= points_K[-1], 1.0, share_B)

    def rank(self, x_B: np.ndarray) -> np.ndarray:
        """Where numbers lie among those of training, from 0 to 1, evenly spread if nothing drifted;
        NaN stays."""
        x_B = np.asarray(x_B, dtype=np.float64)
        middle_B = (self.below(x_B) + self.below(x_B, strictly=True)) / 2.0
        return np.where(np.isfinite(x_B), middle_B, np.nan)

    def at(self, share: float) -> float:
        """The number below which this share lies; NaN where there is none."""
        return float(np.quantile(self.points_K, share)) if len(self.points_K) else float("nan")

    @property
    def median(self) -> float:
        """The middle number."""
        return self.at(0.5)

    @property
    def spread(self) -> float:
        """The interquartile range over that of a normal distribution of deviation 1; where that is
        zero the deviation of the quantiles."""
        if not len(self.points_K):
            return float("nan")
        own = (self.at(0.75) - self.at(0.25)) / 1.349
        return own if own > 0 else float(self.points_K.std())
