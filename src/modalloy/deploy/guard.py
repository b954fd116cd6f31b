"""Judges a changed network on held-back labelled rows: what it loses, and in which of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modalloy.answer.agreement.agreement import agreement_of, compare_task
from modalloy.answer.answers import EVERYTHING, Answers
from modalloy.answer.blended import blended
from modalloy.answer.engine import Engine
from modalloy.answer.golden_rows import Verdict, spread, verdict
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.answer.table_caveats import statuses
from modalloy.deploy.calibration_rows import Rows
from modalloy.deploy.contract import GUARDED, Contract
from modalloy.deploy.few_rows import Few, moved, rests_on_outputs, upper
from modalloy.deploy.parity import UNLIKE_BOUND, unlike_alike
from modalloy.deploy.worst_slice import Slice, row_slices, worst_slice
from modalloy.graphs.branch import Precision
from modalloy.judge.compared import Pair, compare
from modalloy.judge.figures import truth_of
from modalloy.judge.metrics.score import primary
from modalloy.judge.slices import group_labels
from modalloy.judge.wording import METRICS
from modalloy.readers.targets.target import names_of
from modalloy.unlike.likeness import Unlikeness

NEIGHBOURS = 10


@dataclass(frozen=True)
class Said:
    """What a network says of the guard's rows. fused_BD: what it makes of each row in all. unlike:
    how unlike those of training they are, where the run knows those.
    """

    answers: Answers
    fused_BD: np.ndarray
    unlike: Unlikeness | None = None


@dataclass(frozen=True)
class Judged:
    """What a change does to the guard's rows.

    tasks: task -> the figure that it is judged by, before and after. losses: task -> points lost,
    and at most so many with 95 % certainty; tasks of which there is no figure on these rows have
    none. alike: task -> decisions that are the same.
    worst: the part of the rows that loses most. kept: share of each row's nearest neighbours that
    are still its nearest. finite: whether numbers far outside all training gave numbers.
    reasons: why it is refused; none where it passes. unlike: rows that are called unlike those of
    training by both or by neither, where the run calls rows so.
    """

    rows: int
    tasks: Mapping[str, Mapping[str, Pair]]
    losses: Mapping[str, tuple[float, float]]
    alike: Mapping[str, Verdict]
    worst: Slice | None
    kept: float | None
    finite: bool = True
    reasons: tuple[str, ...] = field(default=())
    unlike: Verdict | None = None
    few: Mapping[str, Few] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the contract is kept."""
        return not self.reasons

    @property
    def agreement(self) -> dict[str, float]:
        """Task -> share of decisions that are the same."""
        return {task: found.share for task, found in self.alike.items()}

    @property
    def least_agreement(self) -> float:
        """Of the task whose decisions changed most."""
        return min(self.agreement.values(), default=1.0)

    @property
    def most_lost(self) -> float:
        """Points that the task loses that loses most."""
        return max((lost for lost, _ in self.losses.values()), default=0.0)

    def state(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "rows": self.rows,
            "tasks": {t: {m: list(p) for m, p in found.items()} for t, found in self.tasks.items()},
            "losses": {t: list(lost) for t, lost in self.losses.items()},
            "rows_can_say": {t: few._asdict() for t, few in self.few.items()},
            "agreement": dict(self.agreement),
            "worst": None if self.worst is None else self.worst._asdict(),
            "neighbours_kept": self.kept,
            "finite": self.finite,
            "same_unlike": None if self.unlike is None else self.unlike.share,
            "reasons": list(self.reasons),
        }


class Guard:
    """Held-back rows, what is right of them, and what the network said before.

    before: the engine that is compared with. contract: what may be lost.
    """

    def __init__(
        self, predictor: Predictor, rows: Rows, before: Engine, contract: Contract
    ) -> None:
        self.predictor, self.rows, self.contract = predictor, rows, contract
        self.truth = truth_of(rows.loader, rows.guard)
        self.before = self.ask(before)
        self.groups = group_labels(rows.loader, rows.guard)
        self.slices = row_slices(rows.loader, rows.guard, self.truth, self.groups)

    def ask(self, engine: Engine) -> Said:
        """What an engine says of the guard's rows, with whatever it is blended with, calibrated."""
        predictor, rows = self.predictor, self.rows
        blend, likeness = predictor.blend, predictor.likeness
        viewed = () if likeness is None else likeness.pooled
        given = {"heads": blend.heads, "widths": blend.widths, "viewed": viewed}
        answered = answer_rows(engine, rows.loader, rows.guard, **given)
        combined = blended(blend, answered, rows.loader, rows.guard)
        said = statuses(rows.loader, rows.guard)
        found = predictor.promised(combined, rows.loader, rows.guard, said)[EVERYTHING]
        assert answered.view is not None, "it was asked for"
        unlike = None if likeness is None else likeness.judge(answered.view)
        return Said(found, answered.view.fused_BD, unlike)

    def judge(self, engine: Engine, *, precision: Precision | None, finite: bool = True) -> Judged:
        """What an engine does to the rows. precision: the coarsest of its numbers, None for a
        smaller network. finite: whether it was sound on rows far outside.
        """
        run, before, after = self.predictor.run, self.before, self.ask(engine)
        tasks, losses, alike, few = {}, {}, {}, {}
        for task, options in run.job.tasks.items():
            names = names_of(run.targets[task])
            pair = (before.answers[task], after.answers[task])
            tasks[task] = compare(options, self.truth[task], *pair, names, groups=self.groups)
            found = compare_task(task, options, run.targets[task], *pair)
            alike[task] = verdict(found, agreement_of(options).bound)
            metric, greater = primary(options)
            figure = tasks[task].get(metric)
            lost = None if figure is None else lost_points(metric, figure, greater=greater)
            rows = len(found.same_B) if lost is None else self.known(task)
            far = moved(*pair)
            rests = rests_on_outputs(precision, agreement_of(options), alike[task], far)
            few[task] = Few(rows, upper(rows), far, rests)
            if lost is not None:
                losses[task] = lost if rests else with_bound(metric, lost, rows)
        given = (before.answers, after.answers, self.slices, self.contract.max_loss)
        worst = worst_slice(run, self.truth, *given)
        kept = neighbours_kept(before.fused_BD, after.fused_BD)
        unlike = None
        if before.unlike is not None and after.unlike is not None:
            unlike = verdict(unlike_alike(before.unlike, after.unlike), UNLIKE_BOUND)
        judged = Judged(len(self.rows.guard), tasks, losses, alike, worst, kept, finite)
        return self.contract.applied(replace(judged, unlike=unlike, few=few))

    def said(self) -> list[str]:
        """What is to be known of its rows."""
        if self.groups is None:
            return []
        count = len({str(label) for label in self.groups.labels})
        return [
            f"Rows of one {self.groups.column} may err together: the rows of the guard are of "
            f"{count}, and one that is unlike all of these may lose more than what is promised"
        ]

    def known(self, task: str) -> int:
        """Rows whose right answer is known."""
        return sum(t is not None for t in self.truth[task])


def lost_points(metric: str, pair: Pair, *, greater: bool) -> tuple[float, float] | None:
    """Points lost, and the end of the interval that is worse; None where there is no figure.

    A point is a hundredth of a share or score, and for an error one per cent of what it was.
    """
    if pair.before is None or pair.after is None:
        return None
    sign = 1.0 if greater else -1.0
    form = METRICS[metric].form if metric in METRICS else "number"
    unit = abs(pair.before) + 1e-12 if form in ("unit", "own") else 1.0
    lost = 100.0 * sign * (pair.before - pair.after) / unit
    if pair.interval is None:
        return lost, lost
    low, high = pair.interval
    worst = -low if greater else high
    return lost, max(lost, 100.0 * worst / unit)


def with_bound(metric: str, lost: tuple[float, float], rows: int) -> tuple[float, float]:
    """Points lost, and at most so many that so many rows can rule out more.

    Of a share the rows that were lost on balance count. What an unseen row may cost any other
    figure is not known; it is counted as it would cost a share, a point for one row in a hundred.
    """
    share = metric in METRICS and METRICS[metric].form == "share"
    gone = round(rows * lost[0] / 100.0) if share else 0
    return lost[0], max(lost[1], 100.0 * upper(rows, gone))


def neighbours_kept(before_BD: np.ndarray, after_BD: np.ndarray) -> float | None:
    """Share of each row's nearest ten by the angle between vectors that are still among them; None
    where rows are too few to have any. A neighbour as near as the tenth counts as kept. Of many
    rows some are taken, spread evenly.
    """
    some = spread(np.arange(len(before_BD)), GUARDED)
    before_BD, after_BD = before_BD[some], after_BD[some]
    if len(before_BD) < 2 * NEIGHBOURS + 1:
        return None
    old_BB, new_BB = likeness(before_BD), likeness(after_BD)
    edge_B = -np.sort(-new_BB, axis=1)[:, NEIGHBOURS - 1]
    near_BK = np.argsort(-old_BB, axis=1, kind="stable")[:, :NEIGHBOURS]
    still_BK = np.take_along_axis(new_BB, near_BK, axis=1) >= edge_B[:, None] - 1e-5
    return float(still_BK.mean())


def likeness(x_BD: np.ndarray) -> np.ndarray:
    """The cosine of each pair of rows, a row's own never among the greatest, (B, B)."""
    unit_BD = x_BD / (np.linalg.norm(x_BD, axis=1, keepdims=True) + 1e-12)
    found_BB = unit_BD @ unit_BD.T
    np.fill_diagonal(found_BB, -np.inf)
    return found_BB
