"""The name that a category or label cell has, whatever stands beside it and wherever it is from."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np

from modalloy.cells.missing_markers import says_nothing
from modalloy.cells.numbers import to_number
from modalloy.cells.values import spelled

Reading = Literal["written", "number"]
WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.0*)?")
AMOUNT = re.compile(r"[+-]?(?!0[0-9])[0-9.,]+([eE][+-]?[0-9]+)?")  # 0071 is a code
FRACTION = re.compile(r"[+-]?[0-9]+[.,][0-9]+")
TRUTH = {"true": "1", "false": "0"}


def names_of_cells(cells: Iterable[Any], decimal: str = ".") -> Counter[str]:
    """How often each name is written; where all others are numbers, `NA` and the like are none."""
    counts = Counter(n for n in map(spelled, cells) if n is not None)
    real = Counter({n: count for n, count in counts.items() if not says_nothing(n)})
    return real if Naming(tuple(real), decimal=decimal).numbers else counts


def reading_of(cells: Iterable[Any]) -> Reading:
    """Whether the filled cells of training rows were numbers, and not text that may be one."""
    filled = [c for c in cells if spelled(c) is not None]
    numbers = all(isinstance(c, Real) and not isinstance(c, bool | np.bool_) for c in filled)
    return "number" if filled and numbers else "written"


@dataclass(frozen=True)
class Naming:
    """Finds the name that a cell has among those of training.

    reading: how training gave them. decimal: the sign that the training table wrote fractions with.

    A cell that is written as one of the names is that name. Otherwise it has the name of the same
    value, where exactly one name has that value and: training saw numbers (3, 3.0 and 3.00 are
    one); or the cell is no text but a number, a date or a truth value, of Excel or a frame; or all
    names are numbers and the cell is a whole one (3.0 for 3, but not 1.10 for 1.1); or all names
    are truth values or 0 and 1 (TRUE for true). Where all names are numbers, a mark for no value
    (`NA`, `n.d.`) is nothing; among words it is a name.
    """

    names: tuple[str, ...]
    reading: Reading = "written"
    decimal: str = "."

    def find(self, cell: Any, decimal: str = ".") -> str | None:
        """The name of a cell, None for nothing; how it is written where training never saw it.

        decimal: the sign that the cell's table writes fractions with.
        """
        text = spelled(cell)
        if text is None or text in self._known:
            return text
        if self.numbers and says_nothing(text):
            return None
        if isinstance(cell, str) and decimal != self.decimal and FRACTION.fullmatch(text):
            moved = text.replace(decimal, self.decimal)
            if moved in self._known:
                return moved
            text = moved if decimal in text else text
        key = self._key(cell, text)
        return text if key is None else self._by_value.get(key, text)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _truths(self) -> bool:
        """Whether all names are truth values."""
        return bool(self.names) and all(n.lower() in TRUTH for n in self.names)

    @cached_property
    def numbers(self) -> bool:
        """Whether all names are numbers."""
        return bool(self.names) and all(_amount(n, self.decimal) is not None for n in self.names)

    @cached_property
    def _by_value(self) -> dict[str, str]:
        """The name of each value that only one name has."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            amount = _amount(name, self.decimal)
            value = TRUTH.get(name.lower()) if self._truths else amount or _clock(name)
            if value is not None:
                found.setdefault(value, []).append(name)
        return {value: names[0] for value, names in found.items() if len(names) == 1}

    def _key(self, cell: Any, text: str) -> str | None:
        """The value to look a cell up by, None where only the way it is written counts."""
        truths = self._truths or self._by_value.keys() <= {"0", "1"}  # SQLite has no truth values
        if isinstance(cell, bool | np.bool_) or (truths and text.lower() in TRUTH):
            return TRUTH[text.lower()]
        if isinstance(cell, date | np.datetime64):
            return _clock(text)
        if not isinstance(cell, str):
            return _amount(text, ".")  # as `spelled` writes a number
        whole = self.numbers and WHOLE.fullmatch(text)
        if self.reading == "number" or self._truths or whole:
            return _amount(text, self.decimal)
        return None


def _amount(text: str, decimal: str) -> str | None:
    """One spelling for all ways to write a number, exact for whole ones; None for no number."""
    if WHOLE.fullmatch(text) and (decimal == "." or "." not in text):
        return str(int(text.split(".")[0]))
    number = to_number(text, decimal) if AMOUNT.fullmatch(text) else None
    return None if number is None else spelled(number)


def _clock(text: str) -> str | None:
    """The date and time of a text in one spelling, without a zone."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None).isoformat()
    except ValueError:
        return None
