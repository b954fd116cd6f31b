"""What buying less has changed: the table before and after, what is promised, and every arm."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.predictor import Predictor
from modalloy.answer.stage import adjust
from modalloy.checks.finding import some
from modalloy.economy.certificate import Asked
from modalloy.economy.frontier import Certified, Point, certify, of_arm, sequence
from modalloy.economy.lessons import MOST, Lessons, Outcome, follow
from modalloy.economy.lessons import Asked as Answered
from modalloy.economy.rows import Rows
from modalloy.judge.compared import Compared, Pair, compare
from modalloy.judge.slices import Groups
from modalloy.policy.plan import Plan
from modalloy.readers.targets.target import names_of


class Tables(NamedTuple):
    """What every set of inputs answers to the rows of each use."""

    learn: Lessons
    certify: Lessons
    shown: Lessons
    answers: Answered  # of the shown rows


def before_after(
    predictor: Predictor,
    rows: Rows,
    tables: Tables,
    plan: Plan,
    found: Certified,
    timed: tuple[float, float],
) -> Compared:
    """The table of what buying less has changed."""
    run, shown = predictor.run, tables.shown
    ended = follow(found.chosen.rule, shown)
    before = adjust(answers_with(tables.answers, np.full(len(shown), -1)), run.stages)
    after = adjust(answers_with(tables.answers, ended.set_N), run.stages)
    labels = rows.labels_of(rows.shown)
    groups = None if labels is None else Groups("rows that belong together", labels)
    tasks = {
        task: compare(
            options,
            tables.answers.truth[task],
            before[task],
            after[task],
            names_of(run.targets[task]),
            groups=groups,
        )
        for task, options in run.job.tasks.items()
    }
    units = {t: str(getattr(o, "unit", "") or "") for t, o in run.job.tasks.items()}
    every = shown.there_NM @ np.array([plan.costs[n] for n in plan.inputs])
    unit = f" ({plan.unit} of reading and encoding)" if plan.unit else ""
    bought_NM = shown.bought_SM[ended.set_N]
    costs = {
        f"Cost a row{unit}": Pair(*absolute(plan, every, bought_NM)),
        "Columns bought a row": Pair(
            float(shown.there_NM.sum(1).mean()) + len(plan.always),
            float(bought_NM.sum(1).mean()) + len(plan.always),
        ),
        "Milliseconds a row, measured": Pair(*timed),
    }
    lines = [*sentences(plan, found, tables, ended), rows.source, *rows.said]
    if rows.labels is not None:
        lines.append(
            "rows come in groups, and the certificate counts each row as though it stood alone"
        )
    which = rows.which
    return Compared("economize", len(shown), which, tasks, units, costs, tuple(lines))


def absolute(plan: Plan, every_N: np.ndarray, bought_NM: np.ndarray) -> tuple[float, float]:
    """The mean cost of a row with every column and with these, in the plan's unit."""
    base = sum(plan.costs[n] for n in plan.always)
    cost_M = np.array([plan.costs[n] for n in plan.inputs])
    return base + float(every_N.mean()), base + float((bought_NM @ cost_M).mean())


def answers_with(asked: Answered, set_N: np.ndarray) -> Answers:
    """Each row's answers with the inputs of its set."""
    rows = np.arange(len(set_N))
    return {
        task: {k: np.stack([a[task][k] for a in asked.answers])[set_N, rows] for k in first}
        for task, first in asked.answers[-1].items()
    }


def sentences(plan: Plan, found: Certified, tables: Tables, ended: Outcome) -> list[str]:
    """What is promised, and what came true on the shown rows."""
    promise, shown = plan.certificate, tables.shown
    share = 100.0 * float(ended.worse_N.mean())
    words = f"at most {100 * promise['alpha']:g} % more wrong decisions"
    if found.count == 1:
        first = ""
        if len(found.points) > 1:
            worse = int(found.found[1].worse_N.sum())
            first = (
                f": the first that was tried ({found.points[1].arm}) made {worse} of "
                f"{promise['rows']} decisions worse, and {promise['allowed']} were allowed"
            )
        return [
            f"no cheaper way could be certified to make {words}{first}; the run buys every column. "
            "More rows or a larger --alpha may certify one"
        ]
    certified = (
        f"with {100 * promise['sure']:g} % probability {words} than with every column: "
        f"{promise['worse']} of {promise['rows']} rows of the certificate became wrong "
        f"({promise['allowed']} allowed), and {share:.1f} % of {len(shown)} shown here"
    )
    lines = [f"bought by: {plan.arm}", certified]
    if plan.always:
        lines.append(
            f"{some(plan.always)} cost least and are always bought: past {MOST} inputs only the "
            "dearest are decided on"
        )
    return lines


def arm_lines(
    points: Sequence[Point], tables: Tables, asked: Asked, plan: Plan
) -> list[dict[str, Any]]:
    """Every arm as though it stood alone: its points on the shown rows, and the one certified."""
    lines = []
    for arm in dict.fromkeys(point.arm for point in points):
        own = sequence(tables.learn, of_arm(points, arm))
        alone = certify(own, tables.certify, asked)
        ends = [follow(point.rule, tables.shown) for point in own]
        at = alone.count - 1
        worse = int(alone.outcome.worse_N.sum())
        lines.append(
            {
                "arm": arm,
                "chosen": plan.arm == arm,
                "cost": [share_of_all(e, tables.shown) for e in ends],
                "worse": [float(e.worse_N.mean()) for e in ends],
                "certified": at,
                "bought": float(tables.shown.bought_SM[ends[at].set_N].sum(1).mean()),
                "certificate": {"worse": worse, "rows": len(tables.certify)},
            }
        )
    return lines


def share_of_all(ended: Outcome, lessons: Lessons) -> float:
    """Mean cost as a share of that of buying every column that is there."""
    whole = float((lessons.there_NM @ lessons.cost_M).mean())
    return float(ended.cost_N.mean()) / whole if whole else 0.0


def point_of(plan: Plan, shown: Lessons) -> dict[str, float]:
    """Where the rule that is taken lies among the arms' points."""
    ended = follow(plan.rule, shown)
    return {"cost": share_of_all(ended, shown), "worse": float(ended.worse_N.mean())}
