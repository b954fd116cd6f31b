"""The decision of least expected cost for each row, from the probabilities of its classes."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.rowwise import product
from modalloy.job.costs import Costs, costs_of


class Decided(NamedTuple):
    """Decisions about B rows. choice_B: numbers of `Costs.decisions`. cost_B: expected, in the unit
    of the job."""

    choice_B: np.ndarray
    cost_B: np.ndarray


class Range(NamedTuple):
    """Probabilities of the positive class from `low` to `high` that lead to one decision."""

    low: float
    high: float
    decision: str


def decide(costs: Costs, probability_BC: np.ndarray) -> Decided:
    """The decision with the least expected cost (Elkan 2001); of equals the first, `ask` the last.

    To ask is Chow's reject option (1970). The probabilities are taken at their word, so they should
    be calibrated.
    """
    cost_BA = product(np.asarray(probability_BC, dtype=np.float64), costs.cost_CA)
    choice_B = cost_BA.argmin(1)
    return Decided(choice_B, cost_BA[np.arange(len(cost_BA)), choice_B])


def ranges(costs: Costs) -> list[Range]:
    """Which probabilities of the positive class lead to which decision; for two classes.

    The positive class is the second one where none is named.
    """
    second = 1 if costs.positive is None else costs.names.index(costs.positive)
    start_A, end_A = costs.cost_CA[1 - second], costs.cost_CA[second]
    slope_A = end_A - start_A
    cuts = {0.0, 1.0}
    for a in range(len(slope_A)):
        for b in range(a):
            if slope_A[a] != slope_A[b]:
                cuts.add(float((start_A[b] - start_A[a]) / (slope_A[a] - slope_A[b])))
    inside = sorted(c for c in cuts if 0.0 <= c <= 1.0)
    found: list[Range] = []
    for low, high in pairwise(inside):
        best = costs.decisions[int((start_A + slope_A * (low + high) / 2).argmin())]
        if found and found[-1].decision == best:
            found[-1] = found[-1]._replace(high=high)
        else:
            found.append(Range(low, high, best))
    return found


def costs_in(task: str, options: Any, target: Any) -> Costs | None:
    """The costs of a fitted task's decisions; None where it makes none."""
    decide = getattr(options, "decide", None)
    return None if decide is None else costs_of(task, decide, target.names, target.counts)


def decision_columns(task: str, options: Any, target: Any, answer: Answer) -> Mapping[str, Any]:
    """`TASK.decision` and its expected `TASK.cost`, one value a row; nothing without costs."""
    costs = costs_in(task, options, target)
    if costs is None:
        return {}
    found = decide(costs, answer["probability"])
    said = [costs.decisions[i] for i in found.choice_B]
    return {f"{task}.decision": said, f"{task}.cost": found.cost_B}
