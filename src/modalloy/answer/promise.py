"""What a run's answers promise: sets and intervals that hold the truth, spans and boxes that are
right, each in a stated share of rows; kept as one part of a run.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np

from modalloy.answer.answers import Answer, Answers
from modalloy.answer.precision import Precision, judged_items
from modalloy.answer.row_groups import RowGroup
from modalloy.answer.thresholds import NEVER, Method, Thresholds, outer_quantiles
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.readers.targets.regress import within
from modalloy.runs.run import Run
from modalloy.tasks.kit import kit_of

PART = "conformal.json"
FORM = 2  # of what this version writes; 1 had no spread of numbers

Promise = Thresholds | Precision


class Known(NamedTuple):
    """Rows of one task that what answers them had not learned from.

    answer: before any stage. truth: None where nobody knows. groups: the kind of each row.
    """

    answer: Answer
    truth: Sequence[Any]
    groups: Sequence[RowGroup]

    def some(self, at: np.ndarray) -> "Known":
        """The same of the rows at these positions."""
        answer = {key: np.asarray(v)[at] for key, v in self.answer.items()}
        return Known(answer, [self.truth[i] for i in at], [self.groups[i] for i in at])


def fit_promise(
    options: Any,
    names: Sequence[str] | None,
    known: Known,
    asked: config.Calibrate,
) -> Promise | None:
    """What a task's answers promise by rows that nothing was learned from; None where its kind has
    nothing to promise, or no row is known.

    names: of the classes. Rows with a class that no answer can be count as never covered.
    """
    given: dict[str, Any] = {"coverage": asked.coverage, "by": asked.by}
    known = known.some(np.flatnonzero([t is not None for t in known.truth]))
    if not len(known.truth):
        return None
    match kind := kit_of(options).promises:
        case "classes" if options.several:
            truth = labels_of(known.truth, names or ())
            return Thresholds.fit("labels", known.answer, truth, known.groups, **given)
        case "classes":
            index = {name: c for c, name in enumerate(names or ())}
            truth = np.array([index.get(t, NEVER) for t in known.truth])
            return Thresholds.fit(asked.sets, known.answer, truth, known.groups, **given)
        case "number":
            ends = outer_quantiles(options.quantiles)
            method: Method = "residual" if ends is None else "quantiles"
            truth = np.array(known.truth, dtype=np.float64)
            given |= {"quantiles": ends}
            return Thresholds.fit(method, known.answer, truth, known.groups, **given)
        case "items":
            items = judged_items(known.answer, known.truth)
            return Precision.fit(*items, coverage=asked.coverage)
        case None:
            return None
        case _:
            assert_never(kind)


def labels_of(truth: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    """Which labels each row has, (N, C) bool; labels that no answer can be are left out."""
    return np.array([[n in own for n in names] for own in truth], dtype=bool).reshape(
        len(truth), len(names)
    )


def keep_promises(
    tasks: Mapping[str, Any],
    promises: Mapping[str, Promise],
    before: Answers,
    after: Answers,
    groups: Sequence[RowGroup],
) -> Answers:
    """The answers with what each task promises of them.

    before, after: answers before and after their stage: thresholds are on those before it, since a
    temperature is fitted for another end and may make sets larger (Xi et al. 2024, 2402.04344).
    """
    found = dict(after)
    for task, promise in promises.items():
        match promise:
            case Thresholds():
                said = promise.apply(before[task], groups)
                if kit_of(tasks[task]).promises == "number":  # no truth lies beyond its bounds
                    said = {end: within(tasks[task], y) for end, y in said.items()}
            case Precision():
                said = promise.apply(before[task])
            case _:
                assert_never(promise)
        found[task] = {**after[task], **said}
    return found


def by_of(promises: Mapping[str, Promise]) -> tuple[str, ...]:
    """Columns by whose values the thresholds of some task differ."""
    every = (p.by for p in promises.values() if isinstance(p, Thresholds))
    return next((by for by in every if by), ())


def promises_to_bytes(promises: Mapping[str, Promise]) -> bytes:
    """What `promises_from_bytes` needs: JSON."""
    tasks = {task: {"kind": p.kind, **p.state()} for task, p in promises.items()}
    return json.dumps({"form": FORM, "tasks": tasks}, indent=1, allow_nan=False).encode()


def promises_from_bytes(data: bytes) -> dict[str, Promise]:
    """The promises that were kept. RunError for what this version does not know."""
    said = json.loads(data)
    if said["form"] > FORM:
        raise RunError(f"{PART}: made by a newer version (form {said['form']}); upgrade modalloy.")
    found: dict[str, Promise] = {}
    for task, state in said["tasks"].items():
        own = dict(state)
        kind = own.pop("kind")
        found[task] = (Precision if kind == Precision.kind else Thresholds).from_state(own)
    return found


def promises_of(run: Run) -> dict[str, Promise]:
    """What a run promises of its answers; nothing where it has no such part."""
    return promises_from_bytes(run.part(PART)) if PART in run.sealed else {}
