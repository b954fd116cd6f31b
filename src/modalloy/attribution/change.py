"""Which change of numbers that one can act on would change an answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.outcome import ClassOutcome, NumberOutcome, Outcome
from modalloy.attribution.past import TrainingRows
from modalloy.cells.numbers import to_numbers
from modalloy.errors import JobError
from modalloy.job.options import did_you_mean
from modalloy.judge.wording import brief
from modalloy.readers.number import NumberReader

GRID = 41  # values of one number that are tried
PAIR = 15  # of each of two numbers
HALVINGS = 12  # of the step at which the answer changes


@dataclass(frozen=True)
class Change:
    """Numbers that change an answer, and the answer then.

    to: column -> the number. beyond: `below` or `above` where the answer is the same from there to
    the end of what training rows hold, `between` where it changes again, `both` for two numbers.
    said: a sentence.
    """

    to: dict[str, float]
    beyond: str
    answer: str
    said: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def find_changes(
    asked: AskedRow, outcome: Outcome, columns: Sequence[str], past: TrainingRows
) -> list[Change]:
    """The nearest changes of one number that give another class, each column's own; of two numbers
    where one is not enough. For a task with a number: how far each number moves it.

    Only numbers within the range of 98 of 100 training rows are tried: beyond it nobody knows what
    an answer is worth. Of two numbers the change is smallest as a share of their ranges (Wachter
    et al. 2017, 1711.00399, who search by gradient what we search on a grid).
    """
    check_actionable(asked, columns)
    there = [c for c in columns if c in asked.columns]
    match outcome:
        case ClassOutcome(several=False):
            found = [c for column in there for c in class_changes(asked, outcome, column, past)]
            if not found:
                pairs = (pair_change(asked, outcome, p, past) for p in combinations(there, 2))
                found = [c for c in pairs if c is not None]
            return found
        case NumberOutcome():
            return [c for column in there for c in number_changes(asked, outcome, column, past)]
        case _:
            return []


def check_actionable(asked: AskedRow, columns: Sequence[str]) -> None:
    """JobError for a column that is no number of this run."""
    numbers = [n for n, r in asked.run.readers.items() if isinstance(r, NumberReader)]
    for column in columns:
        if column not in numbers:
            raise JobError(
                f"actionable: '{column}' is no number column of this run."
                f"{did_you_mean(column, numbers)} It has: {', '.join(numbers) or 'none'}."
            )


def current(asked: AskedRow, column: str) -> float:
    """The number that stands in the row."""
    cells = asked.loader.cells((column,), np.array([asked.row]))
    return float(to_numbers(cells[column], cells.decimal)[0])


def classes(asked: AskedRow, outcome: Outcome, at: dict[str, np.ndarray]) -> np.ndarray:
    """The class answered for each choice of numbers, (B,)."""
    rows = len(next(iter(at.values())))
    return asked.ask(outcome.task, [frozenset()] * rows, at)["probability"].argmax(1)


def class_changes(
    asked: AskedRow, outcome: ClassOutcome, column: str, past: TrainingRows
) -> list[Change]:
    """The first change of class below the number and the first above it."""
    now, (low, high) = current(asked, column), past.number_range(column)
    own = int(classes(asked, outcome, {column: np.array([now])})[0])
    found = []
    for end, beyond in ((low, "below"), (high, "above")):
        if (end - now) * (1 if beyond == "above" else -1) <= 0:
            continue
        x_G = np.linspace(now, end, GRID)
        class_G = classes(asked, outcome, {column: x_G})
        other = np.flatnonzero(class_G != own)
        if not len(other):
            continue
        first = int(other[0])
        new = int(class_G[first])
        near = edge_of(asked, outcome, column, x_G[first - 1], x_G[first], new)
        back = np.flatnonzero(class_G[first:] != new)
        held = beyond if not len(back) else "between"
        last = x_G[first + int(back[0]) - 1] if len(back) else end
        found.append(say_class(asked, outcome, column, near, held, float(last), new))
    return found


def edge_of(
    asked: AskedRow, outcome: Outcome, column: str, before: float, after: float, new: int
) -> float:
    """Where between two numbers the class becomes the new one, to a 4,096th of their distance."""
    for _ in range(HALVINGS):
        middle = (before + after) / 2
        if int(classes(asked, outcome, {column: np.array([middle])})[0]) == new:
            after = middle
        else:
            before = middle
    return float(after)


def say_class(
    asked: AskedRow,
    outcome: ClassOutcome,
    column: str,
    near: float,
    beyond: str,
    last: float,
    new: int,
) -> Change:
    """One change of class in words."""
    name = list(asked.run.targets[outcome.task].names)[new]
    number = with_unit(asked, column, near)
    if beyond == "between":
        at = f"between {number} and {with_unit(asked, column, last)}"
    else:
        at = f"at {number} and {beyond}"
    said = f"{column}: {at} the answer would be '{name}'"
    return Change({column: near}, beyond, name, said)


def pair_change(
    asked: AskedRow, outcome: ClassOutcome, pair: tuple[str, ...], past: TrainingRows
) -> Change | None:
    """The smallest change of two numbers together that gives another class."""
    now = [current(asked, c) for c in pair]
    ranges = [past.number_range(c) for c in pair]
    grid = np.meshgrid(*(np.linspace(*r, PAIR) for r in ranges), indexing="ij")
    at = {c: g.ravel() for c, g in zip(pair, grid, strict=True)}
    class_G = classes(asked, outcome, at)
    here = {c: np.array([v]) for c, v in zip(pair, now, strict=True)}
    own = int(classes(asked, outcome, here)[0])
    away = [
        np.abs(at[c] - v) / ((high - low) or 1.0)
        for c, v, (low, high) in zip(pair, now, ranges, strict=True)
    ]
    cost_G = np.where(class_G != own, np.sum(away, axis=0), np.inf)
    best = int(np.argmin(cost_G))
    if not np.isfinite(cost_G[best]):
        return None
    to = {c: float(at[c][best]) for c in pair}
    name = list(asked.run.targets[outcome.task].names)[int(class_G[best])]
    said = " and ".join(f"{c} {with_unit(asked, c, v)}" for c, v in to.items())
    return Change(to, "both", name, f"with {said} the answer would be '{name}'")


def number_changes(
    asked: AskedRow, outcome: NumberOutcome, column: str, past: TrainingRows
) -> list[Change]:
    """The lowest and the highest answer within a number's range."""
    x_G = np.linspace(*past.number_range(column), GRID)
    y_G = asked.ask(outcome.task, [frozenset()] * GRID, {column: x_G})["value"]
    found = []
    for word, at in (("lowest", int(np.argmin(y_G))), ("highest", int(np.argmax(y_G)))):
        answer = f"{brief(float(y_G[at]))} {outcome.unit}".rstrip()
        number = with_unit(asked, column, float(x_G[at]))
        text = f"{column}: the {word} answer is {answer}, at {number}"
        found.append(Change({column: float(x_G[at])}, word, answer, text))
    return found


def with_unit(asked: AskedRow, column: str, number: float) -> str:
    """A number with its column's unit."""
    unit = getattr(asked.run.job.columns[column], "unit", None) or ""
    return f"{brief(number)} {unit}".rstrip()
