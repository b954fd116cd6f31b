"""Cells that hold a number in, robustly scaled numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.cells.numbers import to_number, to_numbers
from modalloy.errors import EmptyColumnError, TableError
from modalloy.job import config
from modalloy.readers.reader import Read, Reader, same

NORMAL_IQR = 1.349  # interquartile range of a normal distribution of deviation 1
LOG_RATIO = 30.0  # large over small amounts, above which a logarithm is the better scale
FARTHEST = 2.999  # scaled edges that can be told from the knee
KNEE = 3.0  # scaled numbers are nearly linear below this and never pass it


@dataclass(frozen=True)
class NumberReader(Reader):
    """(x - median) / (IQR / 1.349), smoothly clipped to +-3; NaN and infinity count as missing.

    log: whether sign(x) log(1 + |x|) takes the place of x first.
    edges: ascending bin edges in scaled units for the piecewise-linear embedding, two at least.
    """

    kind: ClassVar[str] = "number"
    center: float
    scale: float
    edges: tuple[float, ...]
    log: bool = False

    @classmethod
    def fit(cls, name: str, options: config.Number, cells: Cells) -> Self:
        """Median, quartiles and bin edges of training rows; TableError for text or no number."""
        texts = [c for c in cells[name] if not empty(c) and to_number(c, cells.decimal) is None]
        if texts:
            raise TableError(
                f"column '{name}' holds {texts[0]!r}, which is no number; make the column a "
                "category or empty such cells"
            )
        x = to_numbers(cells[name], cells.decimal)
        x = x[np.isfinite(x)]
        if not len(x):
            raise all_missing(name, cells)
        log = options.scale == "log"
        x = to_log(x) if log else x
        center, scale = robust(x)
        scaled = np.unique(squash(x, center, scale))
        if len(scaled) > options.bins + 1:
            shares = np.linspace(0.0, 1.0, options.bins + 1)
            scaled = np.unique(np.quantile(squash(x, center, scale), shares))
        edges = scaled if len(scaled) > 1 else [scaled[0], scaled[0] + 1.0]
        return cls(name, center, scale, tuple(float(e) for e in edges), log)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """As though fitted on all sites' numbers, spread between edges as evenly as there."""
        log = same(fitted, "log").log
        found = [(r.points, n / len(r.edges)) for r, n in zip(fitted, rows, strict=True)]
        x = np.concatenate([points for points, _ in found])
        share = np.concatenate([np.full(len(p), w) for p, w in found])
        order = np.argsort(x, kind="stable")
        x, share = x[order], share[order]
        below = (np.cumsum(share) - share / 2) / share.sum()
        low, center, high = np.interp([0.25, 0.5, 0.75], below, x)
        scale = float(high - low) / NORMAL_IQR or robust(x)[1]
        count = max(len(r.edges) for r in fitted)
        edges = np.unique(squash(np.interp(np.linspace(0, 1, count), below, x), center, scale))
        edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])
        return cls(fitted[0].name, float(center), scale, tuple(map(float, edges)), log)

    @property
    def points(self) -> np.ndarray:
        """The edges on the scale that they were taken on: the column's own, or its logarithm."""
        constant = self.edges == (0.0, 1.0)
        y = np.zeros(1) if constant else np.array(self.edges)
        return self.center + self.scale * unsquash(np.clip(y, -FARTHEST, FARTHEST))

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest number that it was fitted on, in the column's own unit."""
        constant = self.edges == (0.0, 1.0)  # what `fit` makes of one
        y = np.zeros(2) if constant else np.array([self.edges[0], self.edges[-1]])
        x = self.center + self.scale * unsquash(y)
        low, high = from_log(x) if self.log else x
        return float(low), float(high)

    def read(self, cells: Cells) -> Read:
        """Values x (B,) float32."""
        raw = cells[self.name]
        x = to_numbers(raw, cells.decimal)
        present = np.isfinite(x)
        x = to_log(x) if self.log else x
        scaled = squash(np.where(present, x, self.center), self.center, self.scale)
        status = ["ok" if p else _why(c, cells.decimal) for p, c in zip(present, raw, strict=True)]
        return Read({"x": np.where(present, scaled, 0.0).astype(np.float32)}, present, status)


def robust(x: np.ndarray) -> tuple[float, float]:
    """Median and IQR / 1.349 of finite numbers; their deviation where the IQR is zero, else 1."""
    low, center, high = np.quantile(x, [0.25, 0.5, 0.75])
    with np.errstate(over="ignore", invalid="ignore"):
        scale = (high - low) / NORMAL_IQR
        if not 0.0 < scale < np.inf:
            scale = x.std()
    if not 0.0 < scale < np.inf:  # constant, or so large that its square overflows
        scale = max(float(np.abs(x).max()), 1.0) if np.ptp(x / 2) else 1.0
    return float(center), float(scale)


def to_log(x: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + |x|)."""
    return np.sign(x) * np.log1p(np.abs(x))


def from_log(y: np.ndarray) -> np.ndarray:
    """Undo `to_log`; infinite where that is too large for a float."""
    with np.errstate(over="ignore"):
        return np.sign(y) * np.expm1(np.abs(y))


def spans_magnitudes(x: np.ndarray) -> bool:
    """Whether finite amounts are very skewed and their logarithms are not."""
    amounts = np.abs(x[x != 0])
    if not len(amounts):
        return False
    low, high = np.quantile(amounts, [0.05, 0.95])
    return bool(high > LOG_RATIO * low and lean(x) > 0.65 and abs(lean(to_log(x))) < 0.5)


def lean(x: np.ndarray) -> float:
    """How much farther the upper 5 % is from the median than the lower 5 %, from -1 to 1."""
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
    return float((high + low - 2 * middle) / max(high - low, 1e-300))


def squash(x: np.ndarray, center: float, scale: float) -> np.ndarray:
    """Scale finite numbers, then z / sqrt(1 + (z / 3)^2)."""
    with np.errstate(over="ignore"):
        z = np.clip((x - center) / scale, -1e9, 1e9)
    return z / np.sqrt(1.0 + (z / KNEE) ** 2)


def unsquash(y: np.ndarray) -> np.ndarray:
    """Undo what `squash` does to scaled numbers; infinite at the knee."""
    with np.errstate(divide="ignore"):
        return y / np.sqrt(np.maximum(0.0, 1.0 - (y / KNEE) ** 2))


def all_missing(name: str, cells: Cells) -> EmptyColumnError:
    """What to say when a column has nothing to learn from."""
    return EmptyColumnError(
        f"column '{name}' is empty in all {len(cells)} training rows looked at; fill it or leave "
        "it out of the job"
    )


def _why(cell: Any, decimal: str) -> str:
    readable = to_number(cell, decimal) is not None
    return "missing" if readable else f"unreadable: {cell!r:.60} is no number"
