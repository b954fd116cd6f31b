"""What designs must keep and what is sought, read from texts such as `deflection <= 0.6 mm`."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from modalloy.errors import DesignError
from modalloy.job.options import did_you_mean
from modalloy.twin.physical_units import convert

Direction = Literal["minimise", "maximise"]
Sense = Literal["<=", ">=", "in"]

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
QUANTITY = re.compile(rf"\s*({NUMBER})\s*([^\d\s<>=,;\[\]][^<>=,;\[\]]*)?\s*")
COMPARED = re.compile(r"\s*(<=|>=|≤|≥|=<|=>|==|<|>|=)\s*")
WINDOW = re.compile(r"(.+?)\s+in\s+\[([^,;\]]+)[,;]([^,;\]]+)\]\s*(.*)")
EXAMPLES = "'deflection <= 0.6 mm', 'f1 >= 520 Hz' or '0.9 mm <= depth <= 1.1 mm'"


class Constraint(NamedTuple):
    """What one output must keep: low <= output <= high, in the output's own unit.

    An end that is not asked is infinite. text: as it was written.
    """

    output: str
    low: float
    high: float
    unit: str | None
    text: str

    @property
    def sense(self) -> Sense:
        """`<=`, `>=`, or `in` where both ends are bounded."""
        if math.isinf(self.low):
            return "<="
        return ">=" if math.isinf(self.high) else "in"

    def kept(self, y_N: np.ndarray) -> np.ndarray:
        """Which values keep it, bool (N,); a missing value keeps nothing."""
        return (y_N >= self.low) & (y_N <= self.high)


class Objective(NamedTuple):
    """An output to make as small or as large as can be."""

    output: str
    direction: Direction

    @property
    def sign(self) -> float:
        """What the output is multiplied by to be minimised."""
        return 1.0 if self.direction == "minimise" else -1.0


def parse_constraints(
    texts: Sequence[str], outputs: Mapping[str, str | None]
) -> tuple[Constraint, ...]:
    """Every constraint of some texts.

    outputs: the unit of every output and variable that is a number, None where it has none.
    DesignError, all faults in one: a text that is no constraint, an unknown output, a unit of
    another dimension, two constraints that cannot both be kept.
    """
    found: list[Constraint] = []
    faults: list[str] = []
    for text in texts:
        one = read_constraint(text, outputs)
        if isinstance(one, str):
            faults.append(one)
        else:
            found.append(one)
    faults += contradictions(found)
    if faults:
        raise DesignError("\n".join(faults))
    return tuple(found)


def parse_objective(
    output: str, outputs: Mapping[str, str | None], *, direction: Direction
) -> Objective:
    """An objective; DesignError for an output that does not exist."""
    if output not in outputs:
        raise DesignError(unknown(f"{direction} {output}", output, outputs))
    return Objective(output, direction)


def contradictions(constraints: Sequence[Constraint]) -> list[str]:
    """A sentence for every constraint, and every pair of them, that no value can keep."""
    faults = [
        f"'{c.text}' leaves no room between its ends; the smaller one comes first."
        for c in constraints
        if c.low >= c.high
    ]
    sound = [c for c in constraints if c.low < c.high]
    return faults + [
        f"'{a.text}' and '{b.text}' contradict each other: they leave no room for {a.output}."
        for a, b in combinations(sound, 2)
        if a.output == b.output and max(a.low, b.low) >= min(a.high, b.high)
    ]


def refuse_beyond(
    constraints: Sequence[Constraint], bounds: Mapping[str, tuple[float, float]]
) -> None:
    """DesignError for every constraint on a variable that none of its values keeps.

    bounds: the least and the greatest value of each variable that is known.
    """
    faults = [
        f"'{c.text}': {c.output} is {low:g}{said(c.unit)} in every design, as set says."
        if low == high
        else f"'{c.text}': no design keeps it, {c.output} goes from {low:g} to {high:g}"
        f"{said(c.unit)}; widen its bounds in the twin, or ask for less."
        for c in constraints
        if c.output in bounds
        for low, high in [bounds[c.output]]
        if c.low > high or c.high < low
    ]
    if faults:
        raise DesignError("\n".join(faults))


def said(unit: str | None) -> str:
    """A unit behind a number."""
    return f" {unit}" if unit not in (None, "", "1") else ""


def read_constraint(text: str, outputs: Mapping[str, str | None]) -> Constraint | str:
    """The constraint that a text says, or what is wrong with it."""
    said = split_text(text)
    if isinstance(said, str):
        return said
    name, low, high = said
    if name not in outputs:
        return unknown(text, name, outputs)
    ends = []
    for quantity, absent in ((low, -math.inf), (high, math.inf)):
        end = absent if quantity is None else in_unit(text, quantity, name, outputs[name])
        if isinstance(end, str):
            return end
        ends.append(end)
    return Constraint(name, ends[0], ends[1], outputs[name], text.strip())


def split_text(text: str) -> tuple[str, str | None, str | None] | str:
    """The name, the lower and the upper bound of a text, or what is wrong with it."""
    if window := WINDOW.fullmatch(text.strip()):
        name, low, high, unit = window.groups()
        return name, *units_shared(low, high, unit)
    parts = COMPARED.split(text.strip())
    if any(sign in ("=", "==") for sign in parts[1::2]):
        return (
            f"'{text}': no design meets a number exactly; write a window, such as "
            "'0.9 mm <= depth <= 1.1 mm'."
        )
    names = [part for part in parts[::2] if not QUANTITY.fullmatch(part)]
    if len(parts) not in (3, 5) or len(names) != 1 or not names[0]:
        return f"'{text}' is no constraint; write it such as {EXAMPLES}."
    if len(parts) == 5 and parts[2] != names[0]:
        return f"'{text}': the output stands between its two bounds, as in {EXAMPLES}."
    low, high, at = None, None, parts.index(names[0])
    for place in range(0, len(parts), 2):
        if place == at:
            continue
        sign = parts[place + 1 if place < at else place - 1]
        upper = (sign in ("<=", "≤", "=<", "<")) == (place > at)
        if (upper and high is not None) or (not upper and low is not None):
            return f"'{text}' bounds '{names[0]}' twice on one side; write it such as {EXAMPLES}."
        low, high = (low, parts[place]) if upper else (parts[place], high)
    if low is None or high is None:
        return names[0], low, high
    return names[0], *units_shared(low, high)


def in_unit(text: str, quantity: str, name: str, unit: str | None) -> float | str:
    """A written quantity in the output's unit, or what is wrong with it."""
    found = QUANTITY.fullmatch(quantity)
    if found is None:
        return f"'{text}': '{quantity.strip()}' is no number with a unit, as in {EXAMPLES}."
    value, written = float(found[1]), (found[2] or "").strip()
    if math.isinf(value):
        return f"'{text}': '{quantity.strip()}' is larger than any number can be."
    if not written:
        return value
    if unit is None:
        return f"'{text}': '{name}' has no unit; leave out '{written}'."
    inside = convert(value, written, unit)
    if inside is None:
        return f"'{text}': '{name}' is in {unit}, which '{written}' cannot be converted to."
    return inside


def unknown(text: str, name: str, outputs: Mapping[str, str | None]) -> str:
    """That there is no such output, and what there is."""
    return (
        f"'{text}': there is no output or variable '{name}' that is a number."
        f"{did_you_mean(name, outputs)} There are {', '.join(outputs) or 'none'}."
    )


def units_shared(low: str, high: str, unit: str = "") -> tuple[str, str]:
    """Both bounds with a unit: its own, else the one behind both, else the other bound's."""
    own = [unit_of(low), unit_of(high)]
    behind = unit.strip() or own[0] or own[1]
    ends = [
        f"{end} {behind}" if mine == "" else end for end, mine in zip((low, high), own, strict=True)
    ]
    return ends[0], ends[1]


def unit_of(quantity: str) -> str | None:
    """The unit of a quantity, empty where it has none; None for what is no quantity."""
    found = QUANTITY.fullmatch(quantity)
    return (found[2] or "").strip() if found else None
