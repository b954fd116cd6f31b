"""The part of the rows that a change hurts most: by label, group, or which columns are missing."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.answer.row_groups import groups_of
from modalloy.answer.table_caveats import statuses
from modalloy.judge.compared import compare
from modalloy.judge.metrics.score import primary, score
from modalloy.judge.slices import Groups
from modalloy.judge.wording import METRICS
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import Run

FEWEST = 20  # rows of a part that is judged
MOST = 12  # parts of each kind, the largest


class Slice(NamedTuple):
    """name: which rows, in words. lost: points; surely: at least so many with 95 % certainty."""

    name: str
    task: str
    rows: int
    lost: float
    surely: float


def row_slices(
    loader: Loader,
    which: np.ndarray,
    truth: Mapping[str, Sequence[Any]],
    groups: Groups | None,
) -> dict[str, np.ndarray]:
    """Positions of the rows of each part, by what the part is called. Read the rows first."""
    kinds: dict[str, list[str]] = {}
    for task, true in truth.items():
        if all(t is None or isinstance(t, str) for t in true):
            kinds[task] = ["" if t is None else t for t in true]
    if groups is not None:
        kinds[groups.column] = list(groups.labels)
    lacking = groups_of(loader, which, statuses(loader, which))
    kinds["missing"] = [" and ".join(g.missing) or "nothing" for g in lacking]
    found = {}
    for kind, values in kinds.items():
        value_N = np.array(values)
        names, counts = np.unique(value_N, return_counts=True)
        for i in np.argsort(-counts, kind="stable")[:MOST]:
            if counts[i] >= FEWEST and names[i]:
                found[f"{kind} {names[i]}"] = np.flatnonzero(value_N == names[i])
    return found


def worst_slice(
    run: Run,
    truth: Mapping[str, Sequence[Any]],
    before: Answers,
    after: Answers,
    slices: Mapping[str, np.ndarray],
) -> Slice | None:
    """The part whose rows lose most in any task; None where none is large enough."""
    found: Slice | None = None
    for task, options in run.job.tasks.items():
        metric, greater = primary(options)
        if metric == "macro_f1":  # of rows of one class there is no other to confuse it with
            metric = "accuracy"
        names = names_of(run.targets[task])
        for name, at in slices.items():
            own = [truth[task][i] for i in at]
            parts = [{k: x[at] for k, x in a[task].items()} for a in (before, after)]
            old, new = (score(options, own, p, names).get(metric) for p in parts)
            if old is None or new is None:
                continue
            points = scale(metric, old) * (old - new if greater else new - old)
            if found is None or points > found.lost:
                found = Slice(name, task, len(at), points, points)
    if found is None or found.lost <= 0.0:
        return found
    return found._replace(surely=at_least(run, truth, before, after, slices, found))


def at_least(
    run: Run,
    truth: Mapping[str, Sequence[Any]],
    before: Answers,
    after: Answers,
    slices: Mapping[str, np.ndarray],
    found: Slice,
) -> float:
    """Points that a part loses with 95 % certainty."""
    options, at = run.job.tasks[found.task], slices[found.name]
    metric, greater = primary(options)
    metric = "accuracy" if metric == "macro_f1" else metric
    old, new = ({k: x[at] for k, x in a[found.task].items()} for a in (before, after))
    own, names = [truth[found.task][i] for i in at], names_of(run.targets[found.task])
    pair = compare(options, own, old, new, names, metrics=[metric])[metric]
    if pair.interval is None or pair.before is None:
        return 0.0
    low, high = pair.interval
    return scale(metric, pair.before) * (-high if greater else low)


def scale(metric: str, before: float) -> float:
    """Points of one unit of a figure: a hundredth of a share is one, of an error one per cent."""
    errors = metric in METRICS and METRICS[metric].form in ("unit", "own")
    return 100.0 / (abs(before) + 1e-12) if errors else 100.0
