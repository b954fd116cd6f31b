"""Rows of an open table beside what a run knows: looked at, answered, tested."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.blended import blended
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.answer.table_caveats import Odd, statuses
from modalloy.answer.thresholds import Thresholds
from modalloy.judge.figures import truth_of
from modalloy.observing.look import look
from modalloy.observing.said import say_answers
from modalloy.observing.seen import Seen


class Looked(NamedTuple):
    """Rows as they were watched. odd: cells that are not in order, by input. unlike: rows that are
    unlike training, over as many as ordinary rows have; None where the run cannot tell."""

    seen: Seen
    odd: dict[str, Odd]
    unlike: float | None


def look_at(predictor: Predictor, loader: Loader, which: np.ndarray) -> Looked:
    """All that is watched of these rows; what the network makes of them is made once.

    A run with a policy answers by what it buys, as it does for everybody; every cell is looked at
    all the same.
    """
    run, likeness = predictor.run, predictor.likeness
    pooled: Sequence[str] = () if likeness is None else likeness.pooled
    answered = answer_rows(
        predictor.engine,
        loader,
        which,
        heads=predictor.blend.heads,
        widths=predictor.blend.widths,
        viewed=pooled,
    )
    assert answered.view is not None, "it was asked for"
    status = statuses(loader, which)
    if predictor.plan is None:
        combined = blended(predictor.blend, answered, loader, which)
        answers = predictor.promised(combined, loader, which, status)[EVERYTHING]
    else:
        answers = predictor.say(loader, which).answers
    seen = look(loader, which, answered.view, np.arange(len(which)))
    truths = truth_of(loader, which)
    seen.said.update(say_answers(run.job.tasks, run.targets, answers, truths))
    unlike = None
    if likeness is not None:
        unlike = float(likeness.judge(answered.view).unlike_B.mean()) / likeness.share
    return Looked(seen, {name: Odd.of(said) for name, said in status.items()}, unlike)


def promised(predictor: Predictor) -> dict[str, float]:
    """Task -> the share of its sets or intervals that are to hold the truth."""
    tasks = predictor.run.job.tasks
    return {
        task: promise.coverage
        for task, promise in predictor.promises.items()
        if isinstance(promise, Thresholds) and not getattr(tasks[task], "several", False)
    }
