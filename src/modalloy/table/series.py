"""Cells that hold or name sampled signals in, standardised channels and shaft speed out."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.endings import SERIES
from modalloy.table.media import read_series_file, resolve, spread
from modalloy.table.number import all_missing, robust, to_numbers
from modalloy.table.reader import Cells, Read, Reader, empty
from modalloy.table.vector import to_array

LOOKED_AT = 500  # training rows that centre and scale come from
SAMPLES = 200_000  # samples of each channel that they come from, over all rows
LARGEST = 100.0  # standardised samples are cut here


@dataclass(frozen=True)
class SeriesReader(Reader):
    """The last `length` samples of each channel: minus its median, over its IQR / 1.349.

    sources: the table columns that are the channels, one each; a single one may hold them all.
    history: the cell is already an array (C, L) of this row's and earlier rows' numbers.
    rpm: turns a minute, or the column that holds them. center, scale: one for each channel.
    """

    kind: ClassVar[str] = "series"
    sources: tuple[str, ...]
    history: bool
    length: int
    rate_hz: float | None
    rpm: float | str | None
    center: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, name: str, options: config.Series, cells: Cells) -> Self:
        """Median and quartiles of each channel of 500 training rows; TableError without any."""
        blank = cls.blank(name, options)
        rows = spread(list(range(len(cells))), LOOKED_AT)
        found = [blank.collect(cells, row) for row in rows]
        read = [x for x in found if not isinstance(x, str)]
        if not read:
            faults = [f for f in found if f != "missing"]
            if faults:
                raise TableError(f"column '{name}': no series can be read: {faults[0]}")
            raise all_missing(name, cells)
        count = Counter(len(x) for x in read).most_common(1)[0][0]
        step = max(1, sum(x.shape[1] for x in read) // SAMPLES)
        center, scale = [], []
        for channel in range(count):
            x = np.concatenate([x_CL[channel, ::step] for x_CL in read if len(x_CL) == count])
            x = x[np.isfinite(x)]
            middle, spread_out = robust(x) if len(x) else (0.0, 1.0)
            center.append(middle)
            scale.append(spread_out)
        return replace(blank, center=tuple(center), scale=tuple(scale))

    @classmethod
    def blank(cls, name: str, options: config.Series) -> Self:
        """A reader that knows its columns and has no channel yet."""
        history = options.history is not None
        sources = (name,) if history else options.channels or (name,)
        return cls(name, sources, history, options.length, options.rate_hz, options.rpm, (), ())

    @property
    def columns(self) -> tuple[str, ...]:
        """The channels' columns, and the one that holds the speed."""
        speed = (self.rpm,) if isinstance(self.rpm, str) and self.rpm not in self.sources else ()
        return (*self.sources, *speed)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.center)

    def read(self, cells: Cells) -> Read:
        """Values x (B, C, L) float32, mask (B, L) bool, speed_hz (B,) float32 (0 where unknown).

        The mask is True where any channel has a sample. Channels of a row end together; shorter
        rows have zeros at the end.
        """
        found = [self._check(self.collect(cells, row)) for row in range(len(cells))]
        length = max((x.shape[1] for x in found if not isinstance(x, str)), default=1)
        x_BCL = np.zeros((len(found), self.channels, length), dtype=np.float32)
        mask_BL = np.zeros((len(found), length), dtype=bool)
        center_C1, scale_C1 = np.array(self.center)[:, None], np.array(self.scale)[:, None]
        for row, x_CL in enumerate(found):
            if isinstance(x_CL, str):
                continue
            finite = np.isfinite(x_CL)
            with np.errstate(over="ignore", invalid="ignore"):
                z_CL = np.clip((x_CL - center_C1) / scale_C1, -LARGEST, LARGEST)
            x_BCL[row, :, : x_CL.shape[1]] = np.where(finite, z_CL, 0.0)
            mask_BL[row, : x_CL.shape[1]] = finite.any(axis=0)
        status = [x if isinstance(x, str) else "ok" for x in found]
        values = {"x": x_BCL, "mask": mask_BL, "speed_hz": self._speed(cells)}
        return Read(values, np.array([s == "ok" for s in status], dtype=bool), status)

    def _check(self, x_CL: np.ndarray | str) -> np.ndarray | str:
        """A series whose channels are those that were fitted, or the status."""
        if isinstance(x_CL, str) or len(x_CL) == self.channels:
            return x_CL
        if x_CL.shape[1] == self.channels and not self.history:  # shorter than it has channels
            return x_CL.T
        return f"unreadable: {len(x_CL)} channels, expected {self.channels}"

    def _speed(self, cells: Cells) -> np.ndarray:
        """Turns a second, (B,)."""
        if isinstance(self.rpm, str):
            rpm = to_numbers(cells[self.rpm])
        else:
            rpm = np.full(len(cells), self.rpm or 0.0)
        known = np.isfinite(rpm) & (rpm > 0) & (rpm < 1e9)
        return np.where(known, rpm, 0.0).astype(np.float32) / np.float32(60.0)

    def collect(self, cells: Cells, row: int) -> np.ndarray | str:
        """Raw samples of a row, (C, L) with NaN where there is none, or its status."""
        found = [self._read_one(cells[source][row], cells) for source in self.sources]
        for one in found:
            if isinstance(one, str) and one != "missing":
                return one
        if len(found) == 1:
            return found[0]
        rows = [x for x in found if not isinstance(x, str)]
        if not rows:
            return "missing"
        if any(len(x) != 1 for x in rows):
            return "unreadable: one of several columns holds more than one channel"
        x_CL = np.full((len(found), max(x.shape[1] for x in rows)), np.nan)
        for out_L, x in zip(x_CL, found, strict=True):
            if not isinstance(x, str):
                out_L[len(out_L) - x.shape[1] :] = x[0]
        return x_CL

    def _read_one(self, cell: Any, cells: Cells) -> np.ndarray | str:
        """Samples of one cell, (C, L), or its status."""
        if empty(cell):
            return "missing"
        if isinstance(cell, str | Path) and not str(cell).lstrip().startswith("["):
            try:
                x = read_path(str(cell), cells, self.length, self.rate_hz)
            except TableError as error:
                return f"unreadable: {error}"
        else:
            x = to_array(cell)
            if isinstance(x, str):
                return f"unreadable: {x}"
            if x.ndim > 2:
                return f"unreadable: an array of {x.ndim} dimensions"
            x = np.atleast_2d(x)
            if x.shape[0] > x.shape[1] and not self.history:
                x = x.T
        x = x[:, -self.length :]
        return x if np.isfinite(x).any() else "missing"


def read_path(cell: str, cells: Cells, limit: int, rate_hz: float | None) -> np.ndarray:
    """Samples (C, L) of a file; `path#channel` names a variable, column or channel in it."""
    path, mark, channel = cell.rpartition("#")
    if not mark or not path.lower().endswith(SERIES):
        path, channel = cell, ""
    file = resolve(path, cells.folder, cells.allow_outside)
    return read_series_file(file, channel or None, limit, rate_hz=rate_hz)
