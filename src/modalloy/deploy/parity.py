"""The gate before a bundle is written: each way to compute it must decide as the run does.

Rows are answered by the run and by the graphs, blend, stages and promises included; some of them
also with each input hidden. In at least 99.5 % of the rows all decisions must be the same, and a
row that is decided otherwise must be one that the run was torn about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.agreement.agreement import Compared, agreement_of, compare_task
from modalloy.answer.answers import EVERYTHING, Answers, Hidden
from modalloy.answer.engine import Engine
from modalloy.answer.golden_rows import MOST, Verdict, spread, verdict
from modalloy.answer.predictor import Predictor
from modalloy.deploy.export_rows import ExportRows
from modalloy.unlike.likeness import Unlikeness

UNLIKE = "unlike"  # what the run says of rows beside its tasks
UNLIKE_BOUND = 0.01  # of the score, which is 1 where a row begins to be unlike those of training


class Difference(NamedTuple):
    """A row that is decided otherwise. row: its number in the table. hidden: the input that was
    hidden, if any. over: whether the run was too sure for that.
    """

    task: str
    row: int
    hidden: str
    before: str
    after: str
    margin: float
    over: bool


@dataclass(frozen=True)
class Parity:
    """How one way to compute a run agrees with it.

    label: of the way, such as `openvino f32`. rows: how many judged. said: which these are.
    verdicts: by task. differences: every row that is decided otherwise.
    """

    label: str
    rows: int
    said: str
    verdicts: Mapping[str, Verdict]
    differences: tuple[Difference, ...]

    @property
    def fine(self) -> bool:
        """Whether it decides as the run does."""
        return all(v.fine for v in self.verdicts.values())

    def as_dict(self) -> dict[str, Any]:
        """What a bundle's manifest keeps."""
        tasks = {n: {"same": v.share, "largest_margin": v.worst} for n, v in self.verdicts.items()}
        return {"rows": self.rows, "which": self.said, "tasks": tasks}


class Judged(NamedTuple):
    """Answers of both ways to the same rows with the same inputs hidden."""

    which: np.ndarray
    hidden: Hidden
    before: Answers
    after: Answers


def parity(
    label: str, predictor: Predictor, engine: Engine, rows: ExportRows, *, quiet: bool = True
) -> Parity:
    """How an engine's answers to the rows agree with those of a run's own network."""
    other = Predictor(predictor.run, engine=engine)
    loader = other.open(rows.loader.table, quiet=quiet).loader
    whole = [p.say(own, rows.which) for p, own in ((predictor, rows.loader), (other, loader))]
    pairs = [Judged(rows.which, EVERYTHING, whole[0].answers, whole[1].answers)]
    few, hidden = spread(rows.which, MOST), hidden_sets(predictor)
    if hidden:
        one = predictor.say(rows.loader, few, hidden=hidden)
        two = other.say(loader, few, hidden=hidden)
        pairs += [Judged(few, h, one.hidden[h], two.hidden[h]) for h in hidden]
    compared: dict[str, list[Compared]] = {task: [] for task in engine.job.tasks}
    differences: list[Difference] = []
    for pair in pairs:
        for task, options in engine.job.tasks.items():
            given = (task, options, engine.targets[task], pair.before[task], pair.after[task])
            found = compare_task(*given)
            compared[task].append(found)
            differences += told(pair, engine, task, found)
    verdicts = {
        task: verdict(joined(own), agreement_of(engine.job.tasks[task]).bound)
        for task, own in compared.items()
    }
    unlike = [p.unlike for p in whole]
    if unlike[0] is not None and unlike[1] is not None:
        found = unlike_alike(unlike[0], unlike[1])
        verdicts[unlike_name(compared)] = verdict(found, UNLIKE_BOUND)
        differences += told_unlike(rows.which, unlike[0], unlike[1], found)
    return Parity(label, len(rows.which), rows.said, verdicts, tuple(differences))


def hidden_sets(predictor: Predictor) -> list[Hidden]:
    """Each input hidden on its own, where there is more than one."""
    inputs = predictor.engine.inputs
    return [frozenset({name}) for name in inputs] if len(inputs) > 1 else []


def joined(parts: Sequence[Compared]) -> Compared:
    """One comparison of all rows."""
    return Compared(
        np.concatenate([p.same_B for p in parts]), np.concatenate([p.margin_B for p in parts])
    )


def told(pair: Judged, engine: Engine, task: str, found: Compared) -> Iterator[Difference]:
    """The rows of one task that are decided otherwise."""
    options, target = engine.job.tasks[task], engine.targets[task]
    agreement = agreement_of(options)
    own = verdict(found, agreement.bound)
    hidden = ", ".join(sorted(pair.hidden))
    for i in np.flatnonzero(~own.compared.same_B).tolist():
        one, other = (agreement.say(options, target, a[task], i) for a in (pair.before, pair.after))
        margin = float(own.compared.margin_B[i])
        over = margin > own.bound
        yield Difference(task, int(pair.which[i]), hidden, one, other, margin, over)


def unlike_alike(before: Unlikeness, after: Unlikeness) -> Compared:
    """Whether rows are unlike those of training by both; the margin is the score's way to 1."""
    score_B = np.asarray(before.score_B, np.float64)
    return Compared(before.unlike_B == after.unlike_B, np.abs(score_B - 1.0))


def told_unlike(
    which: np.ndarray, before: Unlikeness, after: Unlikeness, found: Compared
) -> Iterator[Difference]:
    """The rows that are unlike those of training by one of them alone."""
    own = verdict(found, UNLIKE_BOUND)
    for i in np.flatnonzero(~own.compared.same_B).tolist():
        one, other = (f"{u.score_B[i]:.4f}" for u in (before, after))
        margin = float(own.compared.margin_B[i])
        over = margin > UNLIKE_BOUND
        yield Difference(UNLIKE, int(which[i]), "", one, other, margin, over)


def unlike_name(tasks: Mapping[str, Any]) -> str:
    """What the verdict on unlike rows is called beside tasks, one of which may be called so."""
    return f"row.{UNLIKE}" if UNLIKE in tasks else UNLIKE
