"""What a finished training keeps of its rows, so that rows that drift away from them are known
later."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.promise import Known, Promise, keep_promises
from modalloy.answer.stage import Stage
from modalloy.job import config
from modalloy.learn.calibrate import Calibration, HeldBack, known_rows
from modalloy.learn.unlike import LookedBack
from modalloy.observing.look import look, some_of
from modalloy.observing.reference import Reference, refer_to
from modalloy.observing.said import say_answers
from modalloy.observing.seen import Say, Seen
from modalloy.readers.category import CategoryReader
from modalloy.unlike.likeness import Likeness

FEWEST = 20  # rows, below which there is nothing to compare with
DESCRIBED = 600  # rows whose pictures, recordings, series and texts are described, of both kinds


def fit_reference(
    job: config.Job,
    loader: Loader,
    back: LookedBack,
    likeness: Likeness | None,
    backed: HeldBack,
    found: Calibration,
) -> Reference | None:
    """Sums of the rows that a run knows; None where these are too few.

    likeness: the run's own, without which no input is seen as its pretrained network pools it: a
    bundle has such vectors of these inputs alone. backed, found: answers to rows held back, and
    what is done to them.
    """
    if len(back.rows) + len(back.held_rows) < FEWEST:
        return None
    draw = np.random.default_rng(job.seed)
    train = look(loader, back.rows, back.train, some_of(len(back.rows), DESCRIBED, draw))
    held = train.some(np.arange(0))
    if back.held is not None:
        described = some_of(len(back.held_rows), DESCRIBED, draw)
        held = look(loader, back.held_rows, back.held, described)
    if likeness is None:
        train, held = (without(s, back.pooled) for s in (train, held))
    sizes = {r.name: len(r.names) + 1 for r in loader.tabular if isinstance(r, CategoryReader)}
    known = {t: known_rows(loader, t, a, job.calibrate.by) for t, a in backed.answers.items()}
    said = said_of(job, loader.targets, known, found.stages, found.promises)
    given = {"sizes": sizes, "frozen": frozenset(back.pooled), "draw": draw}
    return refer_to(train, held, said, **given)


def without(seen: Seen, columns: list[str]) -> Seen:
    """The same without the vectors of some columns."""
    kept = {n: v for n, v in seen.vectors.items() if n not in columns}
    return Seen(seen.rows, seen.present, seen.numbers, seen.names, kept, seen.said)


def said_of(
    job: config.Job,
    targets: Mapping[str, Any],
    known: Mapping[str, Known],
    stages: Mapping[str, Stage],
    promises: Mapping[str, Promise],
) -> dict[str, Say]:
    """Answers to known rows as the run will give them - after their stage, with what they promise -
    beside their truth. known: before any stage."""
    found: dict[str, Say] = {}
    for task, own in known.items():
        after = stages[task].apply(own.answer) if task in stages else own.answer
        answers = {task: after}
        if task in promises:
            given = (job.tasks, {task: promises[task]}, {task: own.answer}, answers)
            answers = keep_promises(*given, own.groups)
        found |= say_answers(job.tasks, targets, answers, {task: own.truth})
    return found
