"""Cells that hold a list of numbers of one length in, standardised lists out."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader, moments

LARGEST = 10.0  # standardised entries are cut here


@dataclass(frozen=True)
class VectorReader(Reader):
    """Each entry minus its mean over its deviation, cut at +-10; a missing entry is its mean."""

    kind: ClassVar[str] = "vector"
    center: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, name: str, options: config.Vector, cells: Cells) -> Self:
        """Mean and deviation of each entry; TableError where no cell is a list of numbers."""
        given = [c for c in cells[name] if not empty(c)]
        if not given:
            raise all_missing(name, cells)
        lists = [to_array(c) for c in given]
        flat = [x for x in lists if not isinstance(x, str) and x.ndim == 1 and x.size]
        if not flat:
            raise TableError(f"column '{name}' holds no list of numbers but {given[0]!r:.60}")
        length = Counter(map(len, flat)).most_common(1)[0][0]
        x_BF = np.stack([x for x in flat if len(x) == length])
        finite = np.isfinite(x_BF)
        count = np.maximum(finite.sum(0), 1)
        # Divided before summing, so that numbers near the largest float do not overflow.
        with np.errstate(over="ignore"):
            center = (np.where(finite, x_BF, 0.0) / count).sum(0)
            apart = np.where(finite, x_BF - center, 0.0)
            scale = np.sqrt((apart**2 / count).sum(0))
        scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
        return cls(name, tuple(map(float, center)), tuple(map(float, scale)))

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """The mean and deviation of all sites' entries."""
        if len({len(r.center) for r in fitted}) > 1:
            raise TableError(f"column '{fitted[0].name}': sites' lists have different lengths")
        center, scale = moments([(r.center, r.scale) for r in fitted], rows)
        return cls(fitted[0].name, tuple(map(float, center)), tuple(map(float, scale)))

    @property
    def length(self) -> int:
        """Numbers in each list."""
        return len(self.center)

    def read(self, cells: Cells) -> Read:
        """Values x (B, F) float32."""
        x_BF = np.zeros((len(cells), self.length), dtype=np.float32)
        status = [self._read_one(c, x_BF[row]) for row, c in enumerate(cells[self.name])]
        return Read({"x": x_BF}, np.array([s == "ok" for s in status], dtype=bool), status)

    def _read_one(self, cell: Any, out_F: np.ndarray) -> str:
        if empty(cell):
            return "missing"
        x_F = to_array(cell)
        if isinstance(x_F, str):
            return f"unreadable: {x_F}"
        if x_F.shape != (self.length,):
            return f"unreadable: shape {x_F.shape}, expected {self.length} numbers"
        finite = np.isfinite(x_F)
        if not finite.any():
            return "missing"
        with np.errstate(over="ignore", invalid="ignore"):
            z_F = np.clip((x_F - self.center) / self.scale, -LARGEST, LARGEST)
        out_F[:] = np.where(finite, z_F, 0.0)
        return "ok"


def to_array(cell: Any) -> np.ndarray | str:
    """A list, nested lists, an array or JSON text of them as float64, or a sentence why not."""
    try:
        if isinstance(cell, str):
            cell = json.loads(cell)
        if isinstance(cell, np.ndarray) and cell.dtype == object:  # lists in lists from Parquet
            cell = cell.tolist()
        x = np.array(cell, dtype=np.float64)
    except (TypeError, ValueError, RecursionError) as error:
        return f"{cell!r:.60} is no list of numbers ({error})"
    return x if x.ndim else f"{cell!r:.60} is no list of numbers"
