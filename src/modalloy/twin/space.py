"""Designs as arrays in the unit cube, which plans fill and surrogates learn from, and as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, assert_never

import numpy as np

from modalloy.errors import TwinError
from modalloy.twin.variables import (
    Categorical,
    Continuous,
    Free,
    Integer,
    Linked,
    Ordinal,
    Variable,
)


class Column(NamedTuple):
    """One column of u_ND: the variable that it belongs to, and its choice where that has some."""

    variable: str
    choice: str | None = None

    def __str__(self) -> str:
        return self.variable if self.choice is None else f"{self.variable}={self.choice}"


@dataclass(frozen=True)
class Space:
    """The designs that some variables span, as u_ND in [0, 1]^D.

    Continuous variables are scaled linearly or by their logarithm. Integers and ordinals of L
    levels stand in the middle of L equal stretches, so that even u are even levels. A categorical
    has one column a choice, one of which is 1. Linked variables have no column.

    names: one a column. groups: the columns of each free variable.
    """

    variables: Mapping[str, Variable]
    names: tuple[str, ...] = field(init=False)
    groups: dict[str, slice] = field(init=False)

    def __post_init__(self) -> None:
        columns: list[Column] = []
        groups: dict[str, slice] = {}
        for name, variable in self.free.items():
            start = len(columns)
            if isinstance(variable, Categorical):
                columns += [Column(name, choice) for choice in variable.choices]
            else:
                columns.append(Column(name))
            groups[name] = slice(start, len(columns))
        object.__setattr__(self, "names", tuple(map(str, columns)))
        object.__setattr__(self, "groups", groups)

    @property
    def free(self) -> dict[str, Free]:
        """The variables that have columns, in their order."""
        return {n: v for n, v in self.variables.items() if not isinstance(v, Linked)}

    @property
    def size(self) -> int:
        """How many columns there are."""
        return len(self.names)

    def values(self, u_ND: np.ndarray) -> dict[str, np.ndarray]:
        """x_N of every variable, linked ones too, repaired: rounded, inside bounds, one choice.

        TwinError where a linked variable has no finite value.
        """
        u_ND = self.checked(u_ND)
        found = {n: values_of(v, u_ND[:, self.groups[n]]) for n, v in self.free.items()}
        return with_linked(self.variables, found)

    def decode(self, u_ND: np.ndarray) -> list[dict[str, Any]]:
        """N designs with the value of every variable; repaired as in `values`."""
        found = {name: x_N.tolist() for name, x_N in self.values(u_ND).items()}
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """u_ND of designs; what they say of linked variables is passed over.

        TwinError where a value is missing, outside its bounds or none of its levels.
        """
        u_ND = np.zeros((len(rows), self.size))
        for name, variable in self.free.items():
            for i, row in enumerate(rows):
                if name not in row:
                    raise TwinError(f"design {i}: has no value of {name}.")
                value = settled(variable, row[name], f"design {i}: {name}")
                place(variable, value, u_ND[i, self.groups[name]])
        return u_ND

    def repair(self, u_ND: np.ndarray) -> np.ndarray:
        """The nearest designs that can be made: u'_ND, whose repair changes nothing more."""
        fixed_ND = self.checked(u_ND).copy()
        for name, variable in self.free.items():
            own = fixed_ND[:, self.groups[name]]
            if isinstance(variable, Categorical):
                chosen_N = own.argmax(1)
                own[:] = 0.0
                own[np.arange(len(own)), chosen_N] = 1.0
            elif (count := levels(variable)) is not None:
                own[:] = (nearest_level(own, count) + 0.5) / count
        return fixed_ND

    def checked(self, u_ND: np.ndarray) -> np.ndarray:
        """As floats inside [0, 1]; an assertion where the shape is another."""
        u_ND = np.asarray(u_ND, dtype=np.float64)
        assert u_ND.ndim == 2, f"u_ND of shape {u_ND.shape}"
        assert u_ND.shape[1] == self.size, f"u_ND of shape {u_ND.shape}, not (N, {self.size})"
        return np.clip(u_ND, 0.0, 1.0)


def bounds_of(
    variables: Mapping[str, Variable], fixed: Mapping[str, Any]
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of each free variable of numbers. fixed: values that stay."""
    found: dict[str, tuple[float, float]] = {}
    for name, variable in variables.items():
        match variable:
            case Categorical() | Linked():
                continue
            case Ordinal(levels=levels):
                ends = [x for x in levels if not isinstance(x, str)]
            case Continuous(low=low, high=high) | Integer(low=low, high=high):
                ends = [low, high]
            case _:
                assert_never(variable)
        if ends:
            ends = [fixed[name]] if name in fixed else ends
            found[name] = float(min(ends)), float(max(ends))
    return found


def levels(variable: Free) -> int | None:
    """How many values a variable has; None of a continuous one."""
    match variable:
        case Continuous():
            return None
        case Integer():
            return variable.high - variable.low + 1
        case Ordinal():
            return len(variable.levels)
        case Categorical():
            return len(variable.choices)
        case _:
            assert_never(variable)


def nearest_level(u: np.ndarray, count: int) -> np.ndarray:
    """The level whose stretch each u lies in."""
    return np.minimum(np.floor(u * count), count - 1)


def values_of(variable: Free, u_NC: np.ndarray) -> np.ndarray:
    """x_N of one variable from its columns."""
    match variable:
        case Continuous(low=low, high=high):
            u_N = u_NC[:, 0]
            if variable.log:
                x_N = np.exp(np.log(low) + u_N * np.log(high / low))
            else:
                x_N = low + u_N * (high - low)
            return np.clip(x_N, low, high)
        case Integer():
            level_N = nearest_level(u_NC[:, 0], variable.high - variable.low + 1)
            return variable.low + level_N.astype(np.int64)
        case Ordinal():
            level_N = nearest_level(u_NC[:, 0], len(variable.levels)).astype(np.int64)
            return _listed(variable.levels)[level_N]
        case Categorical():
            return _listed(variable.choices)[u_NC.argmax(1)]
        case _:
            assert_never(variable)


def _listed(values: Sequence[float | str]) -> np.ndarray:
    """Levels as an array: floats, or texts as they are."""
    words = any(isinstance(value, str) for value in values)
    return np.array(values, dtype=object if words else np.float64)


def settled(variable: Free, value: Any, where: str) -> Any:
    """A value as a variable holds it: a float, an int, a level or a choice.

    TwinError where it cannot be set.
    """
    match variable:
        case Continuous(low=low, high=high):
            x = number(value, where)
            slack = 1e-9 * (high - low)  # a value that was worked out may lie a rounding outside
            if not low - slack <= x <= high + slack:
                raise TwinError(f"{where} must lie from {low:g} to {high:g}. Got {x:g}.")
            return min(max(x, low), high)
        case Integer(low=low, high=high):
            x = number(value, where)
            if x != int(x) or not low <= x <= high:
                raise TwinError(f"{where} must be a whole number from {low} to {high}. Got {x:g}.")
            return int(x)
        case Ordinal():
            return variable.levels[_index(variable.levels, value, where)]
        case Categorical():
            return variable.choices[_index(variable.choices, value, where)]
        case _:
            assert_never(variable)


def place(variable: Free, value: Any, u_C: np.ndarray) -> None:
    """Write a settled value into the columns of its variable."""
    match variable:
        case Continuous(low=low, high=high):
            log = np.log(value / low) / np.log(high / low) if variable.log else None
            u_C[0] = (value - low) / (high - low) if log is None else log
        case Integer(low=low, high=high):
            u_C[0] = (value - low + 0.5) / (high - low + 1)
        case Ordinal():
            u_C[0] = (variable.levels.index(value) + 0.5) / len(variable.levels)
        case Categorical():
            u_C[variable.choices.index(value)] = 1.0
        case _:
            assert_never(variable)


def number(value: Any, where: str) -> float:
    """A finite number, or a sentence."""
    known = isinstance(value, int | float | np.integer | np.floating)
    if not known or isinstance(value, bool) or not np.isfinite(value):
        raise TwinError(f"{where} must be a number. Got '{value}'.")
    return float(value)


def _index(known: Sequence[float | str], value: Any, where: str) -> int:
    """Position of a level or choice."""
    for i, level in enumerate(known):
        if level == value:
            return i
    raise TwinError(f"{where} must be one of {', '.join(map(str, known))}. Got '{value}'.")


def with_linked(
    variables: Mapping[str, Variable], found: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """All variables in their order: x_N of the free ones as given, of the linked ones worked out.

    TwinError where one has no finite value.
    """
    known = dict(found)
    waiting = {n: v.formula for n, v in variables.items() if isinstance(v, Linked)}
    count = len(next(iter(known.values()), ()))
    while waiting:
        ready = [n for n, formula in waiting.items() if all(o in known for o in formula.names)]
        assert ready, f"variables that follow from one another: {', '.join(waiting)}"
        for name in ready:
            try:
                x_N = waiting.pop(name).value(known)
            except ValueError as error:
                raise TwinError(
                    f"variables.{name}: {error}; narrow the bounds or change its formula."
                ) from error
            known[name] = np.broadcast_to(x_N, (count,))
    return {name: known[name] for name in variables}
