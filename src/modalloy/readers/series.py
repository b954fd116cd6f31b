"""Cells that hold or name sampled signals in, standardised channels and shaft speed out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.bulk import OrderForm
from modalloy.cells.cells import Cells, empty
from modalloy.cells.numbers import to_numbers
from modalloy.cells.window import Window
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media.blob import called, is_bytes
from modalloy.media.channels import Channels, Samples, arrange, settle
from modalloy.media.media import Source, source_of, spread
from modalloy.media.samples import read_series_file, split_channel
from modalloy.readers.number import all_missing, robust
from modalloy.readers.reader import Read, Reader, moments, noted, same
from modalloy.readers.vector import to_array

LOOKED_AT = 500  # training rows that centre and scale come from
SAMPLES = 200_000  # samples of each channel that they come from, over all rows
LARGEST = 100.0  # standardised samples are cut here


@dataclass(frozen=True)
class SeriesReader(Reader):
    """The last `length` samples of each channel: minus its median, over its IQR / 1.349.

    sources: the table columns that are the channels, one each; a single one may hold them all.
    history: the cell is a `Window` of this row's and earlier rows' numbers. order_form: how the
    cells that sort these rows are written in training, so that a row has the same window beside any
    others; None in runs that do not know, whose tables tell.
    rpm: turns a minute, or the column that holds them. center, scale: one for each channel.
    channel_names, alike: as in `Channels`. None in runs that know of no names: columns of files
    are taken in their order there, those that count rows or time among them. parted: what parts
    the columns of CSV files of training, () where nothing is known of it. longest: samples of the
    longest row looked at; rows: training rows; both None in runs that did not ask. lined: a gap of
    a channel is filled on the straight line between its neighbours; with the centre at its ends,
    and everywhere in runs that know nothing of it. hidden: channels that are not looked at, having
    gone wrong. stand_ins: for each of them what stands in its place: a constant, then a factor for
    each channel, all one after the other; zeros where there are none.
    """

    kind: ClassVar[str] = "series"
    sources: tuple[str, ...]
    history: bool
    length: int
    rate_hz: float | None
    rpm: float | str | None
    center: tuple[float, ...]
    scale: tuple[float, ...]
    channel_names: tuple[str, ...] | None = None
    alike: bool = True
    order_form: OrderForm | None = None
    parted: tuple[str, ...] = ()
    longest: int | None = None
    rows: int | None = None
    lined: bool = False
    hidden: tuple[int, ...] = ()
    stand_ins: tuple[float, ...] = ()

    @classmethod
    def fit(cls, name: str, options: config.Series, cells: Cells) -> Self:
        """Median and quartiles of each channel of 500 training rows; TableError without any."""
        blank = cls.blank(name, options)
        rows = spread(list(range(len(cells))), LOOKED_AT)
        if len(blank.sources) == 1:
            source = cells[blank.sources[0]]
            ones = [blank._read_one(source[row], cells) for row in rows]
            known = settle([one for one, _ in ones if isinstance(one, Samples)])
            form = next((c.form for c in source if isinstance(c, Window)), None)
            blank = replace(blank, channel_names=known.names, alike=known.alike, order_form=form)
            parted = {one.parted for one, _ in ones if isinstance(one, Samples)}
            both = zip(rows, ones, strict=True)
            given = [blank._arranged(source[row], *one)[0] for row, one in both]
            found = [one if isinstance(one, str) else one.x_CL for one in given]
        else:
            both = [blank._row(cells, row)[0] for row in rows]
            parted = {one.parted for one in both if isinstance(one, Samples)}
            found = [one if isinstance(one, str) else one.x_CL for one in both]
        blank = replace(blank, parted=tuple(sorted(parted - {""})))
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
        longest = min(max(x.shape[1] for x in read), blank.length)
        known = {"longest": longest, "rows": len(cells), "lined": True}
        return replace(blank, center=tuple(center), scale=tuple(scale), **known)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """Each channel by the mean of the sites' middles and spreads, by rows."""
        different = {"center", "scale", "longest", "rows", "parted", "order_form"}
        first = same(fitted, *(f for f in vars(fitted[0]) if f not in different))
        if len({len(r.center) for r in fitted}) > 1:
            raise TableError(f"column '{first.name}': sites' series have different channels")
        center, scale = moments([(r.center, r.scale) for r in fitted], rows)
        return replace(
            first,
            center=tuple(map(float, center)),
            scale=tuple(map(float, scale)),
            longest=max((r.longest or 0 for r in fitted), default=0) or None,
            rows=sum(rows),
            parted=tuple(sorted({p for r in fitted for p in r.parted})),
        )

    @classmethod
    def blank(cls, name: str, options: config.Series) -> Self:
        """A reader that knows its columns and has no channel yet."""
        history = options.history is not None
        sources = (name,) if history else options.channels or (name,)
        limits = (options.length, options.rate_hz, options.rpm)
        return cls(name, sources, history, *limits, (), (), channel_names=())

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

        The mask is True where any channel has a sample; gaps within a row are filled as `lined`
        says. Channels of a row end together; shorter rows have zeros at the end.
        """
        rows = [self._row(cells, row) for row in range(len(cells))]
        found = [self._check(one) for one, _ in rows]
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
            z_CL = filled(z_CL, finite) if self.lined else np.where(finite, z_CL, 0.0)
            x_BCL[row, :, : x_CL.shape[1]] = self._shown(z_CL)
            mask_BL[row, : x_CL.shape[1]] = finite.any(axis=0)
        present = np.array([not isinstance(x, str) for x in found], dtype=bool)
        status = [
            x if isinstance(x, str) else noted(said)
            for x, (_, said) in zip(found, rows, strict=True)
        ]
        values = {"x": x_BCL, "mask": mask_BL, "speed_hz": self._speed(cells)}
        return Read(values, present, status)

    def _shown(self, z_CL: np.ndarray) -> np.ndarray:
        """Standardised samples with something else in the place of hidden channels."""
        if not self.hidden:
            return z_CL
        width = self.channels + 1
        given = self.stand_ins or (0.0,) * (len(self.hidden) * width)
        stand_in_KW = np.array(given).reshape(len(self.hidden), width)
        out_CL = z_CL.copy()
        out_CL[list(self.hidden)] = stand_in_KW[:, :1] + stand_in_KW[:, 1:] @ z_CL
        return np.clip(out_CL, -LARGEST, LARGEST)

    def _check(self, one: Samples | str) -> np.ndarray | str:
        """A series whose channels are those that were fitted, or the status."""
        if isinstance(one, str):
            return one
        x_CL = one.x_CL
        if len(x_CL) == self.channels:
            return x_CL
        # An array that is shorter than it has channels; a table's columns are never its rows.
        if x_CL.shape[1] == self.channels and not self.history and not one.sure:
            return x_CL.T
        return f"unreadable: {len(x_CL)} channels, expected {self.channels}"

    def _speed(self, cells: Cells) -> np.ndarray:
        """Turns a second, (B,)."""
        if isinstance(self.rpm, str):
            rpm = to_numbers(cells[self.rpm], cells.decimal)
        else:
            rpm = np.full(len(cells), self.rpm or 0.0)
        known = np.isfinite(rpm) & (rpm > 0) & (rpm < 1e9)
        return np.where(known, rpm, 0.0).astype(np.float32) / np.float32(60.0)

    def collect(self, cells: Cells, row: int) -> np.ndarray | str:
        """Raw samples of a row, (C, L) with NaN where there is none, or its status."""
        one, _ = self._row(cells, row)
        return one if isinstance(one, str) else one.x_CL

    def _row(self, cells: Cells, row: int) -> tuple[Samples | str, tuple[str, ...]]:
        """Samples of a row or its status, and what is to be said of them."""
        read = [
            self._arranged(cells[source][row], *self._read_one(cells[source][row], cells))
            for source in self.sources
        ]
        said = tuple(dict.fromkeys(note for _, notes in read for note in notes if note))
        for one, _ in read:
            if isinstance(one, str) and one != "missing":
                return one, ()
        if len(read) == 1:
            return read[0]
        rows = [one.x_CL for one, _ in read if not isinstance(one, str)]
        if not rows:
            return "missing", ()
        if any(len(x) != 1 for x in rows):
            return "unreadable: one of several columns holds more than one channel", ()
        x_CL = np.full((len(read), max(x.shape[1] for x in rows)), np.nan)
        for out_L, (one, _) in zip(x_CL, read, strict=True):
            if not isinstance(one, str):
                out_L[len(out_L) - one.x_CL.shape[1] :] = one.x_CL[0]
        parted = next((one.parted for one, _ in read if not isinstance(one, str)), "")
        return Samples(x_CL, sure=True, parted=parted), said

    def _read_one(self, cell: Any, cells: Cells) -> tuple[Samples | str, tuple[str, ...]]:
        """Samples of one cell as they are written, or its status; and what is to be said."""
        if empty(cell):
            return "missing", ()
        if isinstance(cell, Window):
            if cell.said and not np.isfinite(cell.x_CL).any():
                return f"unreadable: {'; '.join(cell.said)}", ()
            return Samples(cell.x_CL[:, -self.length :]), cell.said
        if names_file(cell):
            try:
                one, source = read_path(cell, cells, self.length, self.rate_hz)
            except TableError as error:
                return f"unreadable: {error}", ()
            return one, (source.note, *one.notes, self._otherwise(one))
        x = to_array(cell)
        if isinstance(x, str):
            return f"unreadable: {x}", ()
        if x.ndim > 2:
            return f"unreadable: an array of {x.ndim} dimensions", ()
        x = np.atleast_2d(x)
        if x.shape[0] > x.shape[1]:
            x = x.T
        return Samples(x[:, -self.length :]), ()

    def _otherwise(self, one: Samples) -> str:
        """What is said of a file parted as none of training, unless names tell its columns."""
        known = one.names is not None or not one.parted or one.parted in self.parted
        if known or not self.parted:
            return ""
        usual = " or ".join(self.parted)
        return f"its columns are parted by {one.parted}, those of training by {usual}"

    def _arranged(
        self, cell: Any, one: Samples | str, notes: tuple[str, ...]
    ) -> tuple[Samples | str, tuple[str, ...]]:
        """The channels that the run knows, in its order, or the status; and what is to be said."""
        if isinstance(one, str):
            return one, ()
        if self.channel_names is not None:
            try:
                one, said = arrange(one, Channels(self.channel_names, self.alike))
            except TableError as error:
                return f"unreadable: {called(cell):.80} {error}", ()
            notes = (*notes, said)
        return (one, notes) if np.isfinite(one.x_CL).any() else ("missing", ())


def filled(x_CL: np.ndarray, finite_CL: np.ndarray) -> np.ndarray:
    """Gaps of each channel on a line between its samples; 0 before the first, after the last."""
    out_CL = np.where(finite_CL, x_CL, 0.0)
    if finite_CL.all():
        return out_CL
    for out_L, finite_L in zip(out_CL, finite_CL, strict=True):
        there = finite_L.nonzero()[0]
        if 0 < len(there) < len(finite_L):
            out_L[:] = np.interp(np.arange(len(out_L)), there, out_L[there], left=0.0, right=0.0)
    return out_CL


def names_file(cell: Any) -> bool:
    """Whether a cell is a path, or the bytes of a file; a text may also hold the samples."""
    if is_bytes(cell):
        return True
    return isinstance(cell, str | Path) and not str(cell).lstrip().startswith("[")


def read_path(cell: Any, cells: Cells, limit: int, rate_hz: float | None) -> tuple[Samples, Source]:
    """Samples of a file, and the file; `path#channel` names a variable, column or channel in it."""
    path, channel = (cell, None) if is_bytes(cell) else split_channel(str(cell))
    source = source_of(path, cells.folder, cells.allow_outside)
    return read_series_file(source.file, channel, limit, rate_hz=rate_hz), source
