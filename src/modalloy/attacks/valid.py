"""Valid changes of one column's cells: how far each of its numbers can go, and the cells after it.

Each kind of column undoes what its reader did - standardising, squashing - moves the cell in its
own unit, keeps it within what a sensor or a table can hold, and does it again.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from modalloy.attacks.budget import COUNTED, Budget, brightness
from modalloy.errors import JobError
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.image import ImageReader
from modalloy.readers.number import KNEE, NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import LARGEST as LARGEST_SAMPLE
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import LARGEST as LARGEST_ENTRY
from modalloy.readers.vector import VectorReader

Values = dict[str, dict[str, Tensor]]  # of a batch
DAYS = {"s": 1 / 86_400, "min": 1 / 1_440, "h": 1 / 24, "d": 1.0}
CYCLES = {"day": 1.0, "week": 7.0, "year": 365.2425}  # days


class Valid(ABC):
    """What may be done to one column of a batch.

    shape: of what is moved of one row. low_BS, high_BS: the farthest moves, in budgets, from -1 to
    0 and from 0 to 1; both 0 where the cell is missing. ball: its moves of one row have a length of
    1 at most together; else each of them has.
    """

    ball = False

    def __init__(self, column: str, low: Tensor, high: Tensor, present_B: Tensor) -> None:
        self.column, self.shape = column, tuple(low.shape[1:])
        here = present_B.reshape(-1, *(1 for _ in self.shape))
        self.low_BS = torch.where(here, low, 0.0).clamp(-1.0, 0.0).reshape(len(low), -1)
        self.high_BS = torch.where(here, high, 0.0).clamp(0.0, 1.0).reshape(len(low), -1)

    @abstractmethod
    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """Write the moved cells into values of a batch that may be changed."""

    def shaped(self, u_BS: Tensor) -> Tensor:
        """A move in the shape of the cells, (B, *shape)."""
        return u_BS.reshape(len(u_BS), *self.shape)


def valid_of(model: Model, batch: Batch, budget: Budget) -> Valid | None:
    """What a budget allows in a batch; None for one that counts words or names.

    JobError where the batch holds what a frozen encoder said of the column, not its cells.
    """
    if budget.what in COUNTED or not budget.size:
        return None
    reader: Reader = model.readers[budget.column]
    if reader.kind in TABULAR:
        return tabular_of(model, batch, budget, reader)
    values, present_B = batch.values[budget.column], batch.present[budget.column]
    if "features" in values:
        raise JobError(
            f"columns.{budget.column}: the batch holds what its frozen encoder said, not its "
            "cells, which an attack changes; read it with a loader that keeps no features."
        )
    match reader:
        case ImageReader():
            return Picture(budget, values, present_B)
        case AudioReader():
            return Wave(budget, values, present_B)
        case SeriesReader():
            return Samples(budget, values, present_B, reader)
        case VectorReader():
            return Entries(budget, values, present_B, reader)
        case TextReader():
            encoder = model.encoder(budget.column)
            assert isinstance(encoder, TextEncoder)
            return Vectors(budget, values, present_B, encoder)
        case _:
            raise AssertionError(f"{reader.kind} has no moves")


def tabular_of(model: Model, batch: Batch, budget: Budget, reader: Reader) -> Valid:
    """What a budget allows in a number or time column."""
    kinds = [[r.name for r in model.readers.values() if r.kind == k] for k in TABULAR]
    place = [name for names in kinds for name in names].index(budget.column)
    own = next(names.index(budget.column) for names in kinds if budget.column in names)
    given, present_B = batch.values[TABLE], batch.present[TABLE][:, place]
    if isinstance(reader, NumberReader):
        return Amount(budget, given["number"][:, own], present_B, reader, own)
    assert isinstance(reader, TimeReader)
    return Moment(budget, given["time"][:, own], present_B, reader, own)


class Picture(Valid):
    """Pixels of 0 to 255; handed over in whole steps."""

    def __init__(self, budget: Budget, values: dict[str, Tensor], present_B: Tensor) -> None:
        self.size, self.pixels = brightness(budget), values["pixels"]
        x = self.pixels.float()
        super().__init__(budget.column, -x / self.size, (255.0 - x) / self.size, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`pixels`."""
        add = self.shaped(u_BS) * self.size
        if handed and not self.pixels.is_floating_point():
            most = float(int(self.size))
            moved = (self.pixels.float() + add.round().clamp(-most, most)).clamp(0.0, 255.0)
            values[self.column]["pixels"] = moved.to(self.pixels.dtype)
        else:
            values[self.column]["pixels"] = self.pixels.float() + add


class Wave(Valid):
    """Samples of a recording, within full scale."""

    def __init__(self, budget: Budget, values: dict[str, Tensor], present_B: Tensor) -> None:
        self.size = 10 ** (budget.size / 20) if budget.unit == "dBFS" else budget.size / 100
        self.wave_BL = values["wave"]
        there_BL = torch.arange(self.wave_BL.shape[1], device=self.wave_BL.device)
        there_BL = there_BL < values["length"][:, None]
        most_B1 = self.wave_BL.abs().amax(1, keepdim=True).clamp_min(1.0)
        low, high = (-most_B1 - self.wave_BL) / self.size, (most_B1 - self.wave_BL) / self.size
        super().__init__(budget.column, low * there_BL, high * there_BL, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`wave`."""
        values[self.column]["wave"] = self.wave_BL + u_BS * self.size


class Samples(Valid):
    """Samples of each channel, in the sensor's unit or in deviations of the channel."""

    def __init__(
        self, budget: Budget, values: dict[str, Tensor], present_B: Tensor, reader: SeriesReader
    ) -> None:
        self.x_BCL = values["x"]
        scale_C = self.x_BCL.new_tensor(reader.scale)
        sizes_C = budget.size / scale_C if budget.unit != "sd" else scale_C * 0 + budget.size
        self.size_C1 = sizes_C[:, None]
        there_B1L = values["mask"][:, None, :]
        low = (-LARGEST_SAMPLE - self.x_BCL) / self.size_C1
        high = (LARGEST_SAMPLE - self.x_BCL) / self.size_C1
        super().__init__(budget.column, low * there_B1L, high * there_B1L, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`x`."""
        values[self.column]["x"] = self.x_BCL + self.shaped(u_BS) * self.size_C1


class Entries(Valid):
    """Entries of a list, in their own unit or in deviations of each."""

    def __init__(
        self, budget: Budget, values: dict[str, Tensor], present_B: Tensor, reader: VectorReader
    ) -> None:
        self.x_BF = values["x"]
        scale_F = self.x_BF.new_tensor(reader.scale)
        self.size_F = budget.size / scale_F if budget.unit != "sd" else scale_F * 0 + budget.size
        low, high = (-LARGEST_ENTRY - self.x_BF), (LARGEST_ENTRY - self.x_BF)
        super().__init__(budget.column, low / self.size_F, high / self.size_F, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`x`."""
        values[self.column]["x"] = self.x_BF + u_BS * self.size_F


class Vectors(Valid):
    """Vectors of a text's pieces, before any block: all of a row within one ball.

    Its radius is the budget times the usual length of a piece's vector times the root of the number
    of pieces, so that each piece moves by that share of its length where all move alike.
    """

    ball = True

    def __init__(
        self,
        budget: Budget,
        values: dict[str, Tensor],
        present_B: Tensor,
        encoder: TextEncoder,
    ) -> None:
        mask_BL, vectors_VF = values["mask"], encoder.pieces.weight.detach()
        usual = vectors_VF.norm(dim=1).mean()
        self.radius_B = budget.size * usual * mask_BL.sum(1).clamp_min(1).sqrt()
        most_BLF = mask_BL[..., None].expand(-1, -1, vectors_VF.shape[1]).to(vectors_VF.dtype)
        super().__init__(budget.column, -most_BLF, most_BLF, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`moved`."""
        values[self.column]["moved"] = self.shaped(u_BS * self.radius_B[:, None])


class Amount(Valid):
    """One number, within the range seen in training; whole ones are handed over whole.

    A number outside that range may only move towards it.
    """

    def __init__(
        self,
        budget: Budget,
        y_B: Tensor,
        present_B: Tensor,
        reader: NumberReader,
        place: int,
    ) -> None:
        self.y_B, self.reader, self.place, self.whole = y_B, reader, place, budget.whole
        self.scaled = budget.unit == "sd"  # moved on the reader's own scale, logarithms or not
        low, high = reader.span
        self.size = budget.size
        if budget.unit == "%":
            self.size = budget.size / 100 * (high - low)
        ends = y_B.new_tensor([low, high], dtype=torch.float64)
        if self.scaled:
            ends = (log(ends, reader) - reader.center) / reader.scale
        self.x_B = self.unread(y_B)
        below, above = (ends[0] - self.x_B) / self.size, (ends[1] - self.x_B) / self.size
        super().__init__(budget.column, below.float(), above.float(), present_B)

    def unread(self, y_B: Tensor) -> Tensor:
        """The numbers that the reader squashed, float64: in their own unit, or standardised."""
        y_B = y_B.double()
        z_B = y_B / (1.0 - (y_B / KNEE) ** 2).clamp_min(1e-12).sqrt()
        if self.scaled:
            return z_B
        x_B = z_B * self.reader.scale + self.reader.center
        return x_B.sign() * x_B.abs().expm1() if self.reader.log else x_B

    def read(self, x_B: Tensor) -> Tensor:
        """What the reader makes of them."""
        z_B = x_B
        if not self.scaled:
            z_B = (log(x_B, self.reader) - self.reader.center) / self.reader.scale
        return z_B / (1.0 + (z_B / KNEE) ** 2).sqrt()

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`number`. What does not move stays as it is to the last bit."""
        x_B = self.x_B + u_BS[:, 0].double() * self.size
        if handed and self.whole:
            x_B = self.rounded(x_B)
        moved_B = self.y_B + (self.read(x_B) - self.read(self.x_B)).to(self.y_B.dtype)
        put_column(values[TABLE], "number", self.place, moved_B)

    def rounded(self, x_B: Tensor) -> Tensor:
        """The whole number nearest to each on the side of the one that it was, in its own unit."""
        if not self.scaled:
            return self.x_B + whole_steps(x_B - self.x_B)
        own = [v * self.reader.scale + self.reader.center for v in (self.x_B, x_B)]
        was_B, now_B = (v.sign() * v.abs().expm1() if self.reader.log else v for v in own)
        whole_B = was_B + whole_steps(now_B - was_B)
        return (log(whole_B, self.reader) - self.reader.center) / self.reader.scale


class Moment(Valid):
    """One date: its cycles turn, its trend and the days since another date go on together."""

    def __init__(
        self,
        budget: Budget,
        x_BF: Tensor,
        present_B: Tensor,
        reader: TimeReader,
        place: int,
    ) -> None:
        self.x_BF, self.reader, self.place = x_BF, reader, place
        self.days = budget.size * DAYS[budget.unit]
        one_B = x_BF.new_ones(len(x_BF))
        super().__init__(budget.column, -one_B, one_B, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`time`."""
        days_B, reader = u_BS[:, 0] * self.days, self.reader
        parts = list(self.x_BF.unbind(1))
        for i, cycle in enumerate(reader.cycles):
            turn_B = 2 * torch.pi * days_B / CYCLES[cycle]
            sine_B, cosine_B = parts[2 * i], parts[2 * i + 1]
            parts[2 * i] = sine_B * turn_B.cos() + cosine_B * turn_B.sin()
            parts[2 * i + 1] = cosine_B * turn_B.cos() - sine_B * turn_B.sin()
        at = 2 * len(reader.cycles)
        edges = [(e - reader.center) / reader.scale for e in reader.edges]
        parts[at] = later(parts[at], days_B / reader.scale, *edges)
        if reader.since is not None:
            known_B = parts[at + 2] > 0
            moved_B = later(parts[at + 1], days_B / reader.gap[1], -1e9, 1e9)
            parts[at + 1] = torch.where(known_B, moved_B, parts[at + 1])
        put_column(values[TABLE], "time", self.place, torch.stack(parts, 1))


def later(y_B: Tensor, add_B: Tensor, low: float, high: float) -> Tensor:
    """Squashed numbers after adding to what they were, between two ends."""
    y = y_B.double()
    z_B = y / (1.0 - (y / KNEE) ** 2).clamp_min(1e-12).sqrt()

    def squashed(z: Tensor) -> Tensor:
        return z / (1.0 + (z / KNEE) ** 2).sqrt()

    moved_B = (z_B + add_B.double()).clamp(low, high)
    return y_B + (squashed(moved_B) - squashed(z_B)).to(y_B.dtype)


def whole_steps(add_B: Tensor) -> Tensor:
    """So many whole steps as go into each number; one that lacks a rounding error counts."""
    return (add_B + add_B.sign() * 1e-6).trunc()


def log(x: Tensor, reader: NumberReader) -> Tensor:
    """Numbers on the scale that the reader standardises."""
    return x.sign() * x.abs().log1p() if reader.log else x


def put_column(values: dict[str, Any], kind: str, place: int, x: Tensor) -> None:
    """One column of the plain cells of a kind, the others as they are."""
    columns = list(values[kind].unbind(1))
    columns[place] = x
    values[kind] = torch.stack(columns, 1)
