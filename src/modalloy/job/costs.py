"""What each decision of a task costs for each true class, from what the job says of mistakes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.cost_rules import ASK, MISTAKES
from modalloy.job.faults import quoted
from modalloy.job.options import did_you_mean, listed

ACCEPT, REJECT = "accept", "reject"


class Costs(NamedTuple):
    """Costs of A decisions for C true classes.

    decisions: their names: `accept` and `reject`, or the classes; at last `ask`, where that has a
    cost. names: of the classes. cost_CA: in the unit of the job. positive: the class that is
    rejected; None where decisions are classes.
    """

    decisions: tuple[str, ...]
    names: tuple[str, ...]
    cost_CA: np.ndarray
    positive: str | None

    @property
    def answer_of(self) -> np.ndarray:
        """For each class the decision that takes it for the truth, (C,)."""
        if self.positive is None:
            return np.arange(len(self.names))
        return np.array([int(name == self.positive) for name in self.names])

    @property
    def asks(self) -> bool:
        """Whether to ask is one of the decisions."""
        return len(self.decisions) > len(self.names)


def costs_of(
    task: str, decide: config.Decide | None, names: Sequence[str], counts: Sequence[int]
) -> Costs | None:
    """The costs of a task whose classes are known; None where the job names none.

    counts: training rows of each class. JobError where the costs are of other classes.
    """
    if decide is None:
        return None
    where = f"tasks.{task}.decide"
    given = decide.costs
    ask = decide.ask
    if isinstance(given, dict):
        ask = decide.ask if decide.ask is not None else number_of(given.get(ASK))
        given = {k: v for k, v in given.items() if k != ASK}
    if isinstance(given, dict) and set(given) == {*MISTAKES}:
        positive = positive_of(where, decide.positive, names, counts)
        miss, false_alarm = (number_of(given[k]) or 0.0 for k in MISTAKES)
        cost_CA = np.array([[miss, 0.0] if n == positive else [0.0, false_alarm] for n in names])
        decisions: tuple[str, ...] = (ACCEPT, REJECT)
    else:
        cost_CA = matrix_of(where, given, names)
        positive, decisions = None, tuple(names)
    if ask is not None:
        if ASK in decisions:
            raise JobError(f"{where}: a class is called 'ask'; rename it, or leave ask out.")
        cost_CA = np.concatenate([cost_CA, np.full((len(names), 1), ask)], axis=1)
        decisions = (*decisions, ASK)
    return Costs(decisions, tuple(names), cost_CA, positive)


def positive_of(where: str, asked: str | None, names: Sequence[str], counts: Sequence[int]) -> str:
    """The class that a miss is about. JobError for one that is not there, or for not two."""
    if len(names) != 2:
        raise JobError(
            f"{where}.costs: miss and false_alarm are for two classes, and '{where.split('.')[1]}' "
            f"has {len(names)}; say what each answer costs for each true class."
        )
    if asked is None:
        return names[1] if counts[1] <= counts[0] else names[0]
    if asked not in names:
        raise JobError(unknown(f"{where}.positive", asked, names))
    return asked


def matrix_of(
    where: str,
    given: dict[str, float | dict[str, float]] | tuple[tuple[float, ...], ...],
    names: Sequence[str],
) -> np.ndarray:
    """Costs of answering each class, (C, C). JobError for other classes, or another number."""
    if not isinstance(given, dict):
        if len(given) != len(names):
            raise JobError(
                f"{where}.costs: has {len(given)} rows and columns, and there are {len(names)} "
                f"classes: {listed(names)}."
            )
        return np.array(given, dtype=np.float64)
    for name in given:
        if name not in names:
            raise JobError(unknown(f"{where}.costs", name, names))
    lacking = [name for name in names if name not in given]
    if lacking:
        raise JobError(f"{where}.costs: says nothing of class {quoted(lacking[0])}; add it.")
    rows = [row if isinstance(row := given[name], dict) else {} for name in names]
    return np.array([[row.get(name, 0.0) for name in names] for row in rows])


def unknown(where: str, name: str, names: Sequence[str]) -> str:
    """What to say of a class that does not exist."""
    near = did_you_mean(name, names)
    return f"{where}: there is no class {quoted(name)}; there are {listed(names)}.{near}"


def number_of(value: float | dict[str, float] | None) -> float | None:
    """A cost that stands for itself."""
    return float(value) if isinstance(value, int | float) else None
