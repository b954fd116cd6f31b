"""How far an attacker may move the cells of each column, in the column's own unit."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_numbers
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.options import did_you_mean
from modalloy.readers.reader import Reader

CellsOf = Callable[[Sequence[str], np.ndarray], Cells]
What = Literal["linf", "embedding", "words", "characters", "name"]
OWN = "unit"  # says a column's own unit, whatever it is called
SIZE = re.compile(r"^\s*([-+]?[0-9.]+(?:e[-+]?\d+)?)\s*(.*?)\s*$", re.IGNORECASE)

# What is taken where nothing is said, by kind of column.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "image": ("8/255",),
    "audio": ("0.2 %",),
    "series": ("0.1 sd",),
    "vector": ("0.1 sd",),
    "number": ("0.1 sd",),
    "time": ("1 d",),
    "category": ("1 name",),
    "text": ("0.05 embedding", "2 words"),
    "tokens": ("0.05 embedding", "2 characters"),
}
UNITS: dict[str, tuple[str, ...]] = {
    "image": ("/255", "%"),
    "audio": ("%", "dBFS"),
    "series": (OWN, "sd"),
    "vector": (OWN, "sd"),
    "number": (OWN, "sd", "%"),
    "time": ("s", "min", "h", "d"),
    "category": ("name",),
    "text": ("embedding", "words", "characters"),
    "tokens": ("embedding", "characters"),
}
WHATS: dict[str, What] = {
    "embedding": "embedding",
    "words": "words",
    "characters": "characters",
    "name": "name",
}
COUNTED = ("words", "characters", "name")
ALSO = {"word": "words", "character": "characters", "names": "name"}  # as one may write them


class Budget(NamedTuple):
    """How far one column may be moved.

    size: in `unit`. what: `linf`, every number of a cell by at most the size; `embedding`, the
    vectors of a text's pieces, all together by the size times their usual length (L2); `words` and
    `characters`, so many of them changed; `name`, another known name. whole: the column's numbers
    are whole and stay so. free: the range of training does not bound a number, which only the check
    of growing budgets asks for.

    Units: `/255` of a picture's brightness; `%` of full brightness, of a recording's full scale, of
    the range of a number in training; `dBFS`; the column's own, `unit` where it has no name; `sd`,
    its robust standard deviation in training; s, min, h, d.
    """

    column: str
    size: float
    unit: str
    what: What = "linf"
    whole: bool = False
    free: bool = False

    def times(self, factor: float) -> "Budget":
        """The same with another size, for checks; what is counted stays as it is."""
        if self.what in COUNTED:
            return self
        if self.unit == "dBFS":
            return self._replace(size=self.size + 20 * math.log10(factor), free=factor > 1)
        return self._replace(size=self.size * factor, free=factor > 1)

    def text(self) -> str:
        """`8/255`, `0.1 kN`."""
        gap = "" if self.unit == "/255" else " "
        unit = self.unit.removesuffix("s") if self.size == 1 and self.what in COUNTED else self.unit
        return f"{self.size:.4g}{gap}{unit}"


def budgets_of(
    job: config.Job,
    readers: Mapping[str, Reader],
    given: Mapping[str, str | float] | None = None,
    *,
    whole: Collection[str] = (),
) -> list[Budget]:
    """A budget for every column that a model reads, two for a text: its vectors and its words.

    given: column -> size and unit, such as `{"photo": "4/255", "load": "0.5 kN"}`; `"0.1 embedding,
    3 words"` says both of a text, `0` leaves a column alone. The others have `DEFAULTS`. whole:
    columns whose numbers are whole, see `whole_columns`.

    JobError, all faults in one: a column that does not exist, a size without a unit, a unit of
    another kind of column, a size that moves nothing.
    """
    asked = dict(given or {})
    faults = [
        f"{name}: this model reads no such column.{did_you_mean(name, readers)} It reads "
        f"{', '.join(readers)}."
        for name in asked
        if name not in readers
    ]
    found = []
    for name, reader in readers.items():
        for size in sizes_of(asked.get(name), DEFAULTS[reader.kind]):
            one = read_budget(name, size, reader, job.columns[name], name in whole)
            if isinstance(one, str) and name not in asked:  # whole numbers that hardly spread
                one = Budget(name, 1.0, OWN, whole=True)
            if isinstance(one, str):
                faults.append(one)
            elif one.size:
                found.append(one)
    if faults:
        raise JobError("\n".join(f"budgets.{fault}" for fault in faults))
    return found


def whole_columns(readers: Mapping[str, Reader], cells_of: CellsOf, rows: np.ndarray) -> list[str]:
    """Number columns whose cells are whole in all of these rows, such as those of training.

    cells_of: cells of some columns of some rows, as a loader has them.
    """
    found = []
    for name, reader in readers.items():
        if reader.kind == "number":
            cells = cells_of(reader.columns, rows)
            x = to_numbers(cells[name], cells.decimal)
            x = x[np.isfinite(x)]
            if len(x) and (x == np.round(x)).all():
                found.append(name)
    return found


def sizes_of(given: str | float | None, usual: Sequence[str]) -> list[str]:
    """The sizes that are said of one column, as texts."""
    if given is None:
        return list(usual)
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else [f"{given:g}"]


def read_budget(
    name: str, said: str, reader: Reader, options: config.Options, whole: bool
) -> Budget | str:
    """The budget that a text says, or what is wrong with it."""
    units, kind = UNITS[reader.kind], reader.kind
    usual = " and ".join(DEFAULTS[kind])
    found = SIZE.match(said)
    if found is None:
        return f"{name}: {said!r} is no size with a unit; write it such as {usual}."
    size, unit = to_float(found[1]), ALSO.get(found[2], found[2])
    own = getattr(options, "unit", None)
    if size == 0.0 and unit in ("", *units, own) and unit != "dBFS":
        return Budget(name, 0.0, unit)
    if not unit:
        return (
            f"{name}: {said} has no unit. A column of type {kind} is moved by "
            f"{say_units(units, own)}; write it such as {usual}."
        )
    unit = own if own is not None and unit == OWN else unit
    if unit not in (*units, own):
        return (
            f"{name}: {said!r} is in {unit}, and a column of type {kind} is moved by "
            f"{say_units(units, own)}; write it such as {usual}."
        )
    if size is None or (size < 0.0) != (unit == "dBFS") or size == 0.0:
        sign = "below" if unit == "dBFS" else "above"
        return f"{name}: {said!r} is no size; it must be {sign} 0."
    budget = Budget(name, size, unit, WHATS.get(unit, "linf"), whole and kind == "number")
    return moves_nothing(budget, reader) or budget


def moves_nothing(budget: Budget, reader: Reader) -> str | None:
    """What to say of a size that is smaller than the smallest step of its cells."""
    name, told = budget.column, budget.text()
    if budget.what in COUNTED and (budget.size < 1 or budget.size % 1):
        return f"{name}: {told} is no whole number of {budget.unit}."
    if reader.kind == "image" and brightness(budget) < 1.0:
        return f"{name}: {told} moves no pixel, which hold whole numbers of 0 to 255."
    if reader.kind == "number" and not math.isfinite(own_size(budget, reader)):
        return f"{name}: its range in training has no end, so {told} is no size; give one in sd."
    if budget.whole and own_size(budget, reader) < 1.0:
        return (
            f"{name}: {told} is {own_size(budget, reader):.3g} of its own unit and moves nothing, "
            "because its numbers are whole; let it be 1 unit at least."
        )
    return None


def brightness(budget: Budget) -> float:
    """A picture's budget in steps of 0 to 255."""
    return budget.size if budget.unit == "/255" else budget.size / 100 * 255


def own_size(budget: Budget, reader: Any) -> float:
    """A number's budget in the column's own unit."""
    match budget.unit:
        case "sd":
            return budget.size * spread(reader)
        case "%":
            low, high = reader.span
            return budget.size / 100 * (high - low)
        case _:
            return budget.size


def spread(reader: Any) -> float:
    """A number column's robust standard deviation in its own unit, near its median where `log`."""
    if not reader.log:
        return reader.scale
    return reader.scale * math.exp(abs(reader.center))  # one deviation of its logarithm


def say_units(units: Sequence[str], own: str | None) -> str:
    """Units in words."""
    told = [f"{own} (its own unit)" if u == OWN and own else u for u in units]
    return " or ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def to_float(text: str) -> float | None:
    """A number, or None."""
    try:
        return float(text)
    except ValueError:
        return None
