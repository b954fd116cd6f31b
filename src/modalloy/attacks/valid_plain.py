"""Valid changes of numbers and dates: within training's range, whole ones whole, cycles and trend
together.
"""

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget
from modalloy.attacks.valid import Valid, Values
from modalloy.readers.batch import TABLE
from modalloy.readers.number import KNEE, NumberReader
from modalloy.readers.time import TimeReader

DAYS = {"s": 1 / 86_400, "min": 1 / 1_440, "h": 1 / 24, "d": 1.0}
CYCLES = {"day": 1.0, "week": 7.0, "year": 365.2425}  # days


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
        low, high = (-torch.inf, torch.inf) if budget.free else (low, high)
        ends = y_B.new_tensor([low, high], dtype=torch.float64)
        if self.scaled and not budget.free:
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


def put_column(values: dict[str, Tensor], kind: str, place: int, x: Tensor) -> None:
    """One column of the plain cells of a kind, the others as they are."""
    columns = list(values[kind].unbind(1))
    columns[place] = x
    values[kind] = torch.stack(columns, 1)
