"""What decisions about rows with a known answer really cost, beside the simple policies."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modalloy.answer.decide import decide, ranges
from modalloy.job.cost_rules import ASK
from modalloy.job.costs import ACCEPT, REJECT, Costs
from modalloy.judge.metrics.bootstrap import intervals, paired_intervals
from modalloy.judge.metrics.tally import Tally

STEPS = 101  # thresholds of the curve
COST = "cost"
DECIDED = "as decided"
PROBABLE = "the most probable class"


class CostTally(Tally):
    """What each row's decision costs, (N,)."""

    def __init__(self, rows: np.ndarray, cost_N: np.ndarray) -> None:
        self.rows, self.cost_N = rows, cost_N

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """Mean cost a row."""
        return {COST: self.cost_N @ weight_NR / weight_NR.sum(0)}


def realised(
    costs: Costs,
    probability_BC: np.ndarray,
    truth: Sequence[Any],
    *,
    groups: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Mean cost a row of the decisions and of each simple policy, as `Report.decided` keeps it.

    truth: a name, or None where nobody knows; rows of classes that training never saw are left out.
    The simple policies need no probability (every row alike), or no costs (the most probable
    class). Intervals are bootstrapped, `saves` in pairs.
    """
    index = {name: c for c, name in enumerate(costs.names)}
    rows = np.flatnonzero([t in index for t in truth])
    if not len(rows):
        return {}
    true_N = np.array([index[truth[row]] for row in rows.tolist()])
    p_NC = np.asarray(probability_BC)[rows]
    choice_N = decide(costs, p_NC).choice_B

    def cost_of(choice: np.ndarray | int) -> CostTally:
        return CostTally(rows, costs.cost_CA[true_N, choice])

    ours = cost_of(choice_N)
    policies = {DECIDED: ours, PROBABLE: cost_of(costs.answer_of[p_NC.argmax(1)])}
    policies |= {say_always(d): cost_of(a) for a, d in enumerate(costs.decisions)}
    found = {name: priced(tally, groups) for name, tally in policies.items()}
    for name, tally in policies.items():
        if name != DECIDED:
            ends = paired_intervals(tally, ours, groups=groups)
            saved = {"value": found[name][COST] - found[DECIDED][COST]}
            found[name]["saves"] = saved | ({"interval": [*ends[COST]]} if COST in ends else {})
    shares = {d: float((choice_N == a).mean()) for a, d in enumerate(costs.decisions)}
    about = {"rows": len(rows), "positive": costs.positive, "policies": found, "shares": shares}
    if len(costs.names) == 2:
        about |= {"ranges": [r._asdict() for r in ranges(costs)], **curve(costs, p_NC, true_N)}
    return about


def priced(tally: CostTally, groups: Sequence[Any] | None) -> dict[str, Any]:
    """Mean cost with its interval."""
    ends = {k: [*v] for k, v in intervals(tally, groups=groups).items()}
    return {**tally.score(), "interval": ends}


def curve(costs: Costs, p_NC: np.ndarray, true_N: np.ndarray) -> dict[str, Any]:
    """Mean cost a row by the probability from which rows are taken for the second class, nobody
    being asked; and the threshold that the costs alone choose.
    """
    second = 1 if costs.positive is None else costs.names.index(costs.positive)
    no, yes = costs.answer_of[1 - second], costs.answer_of[second]
    t_S = np.linspace(0.0, 1.0, STEPS)
    choice_NS = np.where(p_NC[:, second, None] >= t_S, yes, no)
    mean_S = costs.cost_CA[true_N[:, None], choice_NS].mean(0)
    alone = costs._replace(decisions=costs.decisions[:2], cost_CA=costs.cost_CA[:, :2])
    cut = [r.low for r in ranges(alone)[1:]]
    return {
        "curve": {"threshold": t_S.tolist(), COST: mean_S.tolist()},
        "threshold": cut[0] if cut else None,
        "of": costs.names[second],
    }


def say_always(decision: str) -> str:
    """A policy that looks at no row."""
    if decision == ASK:
        return "ask always"
    return f"{decision} all" if decision in (ACCEPT, REJECT) else f"'{decision}' always"
