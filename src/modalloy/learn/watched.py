"""What a finished training keeps of its rows, so that rows that drift away from them are known
later."""

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.loader import Loader
from modalloy.answer.promise import keep_promises
from modalloy.answer.row_groups import groups_of
from modalloy.answer.table_caveats import statuses
from modalloy.job import config
from modalloy.judge.figures import truth_of
from modalloy.learn.calibrate import Calibration, HeldBack
from modalloy.learn.held_out import HeldAnswer
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

    likeness: the run's own, which says which inputs are seen as their pretrained network pools
    them: a bundle has these alone. backed, found: answers to rows held back, and what is done to
    them.
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
    said = answers_of(job, loader, backed, found)
    given = {"sizes": sizes, "frozen": frozenset(back.pooled), "draw": draw}
    return refer_to(train, held, said, **given)


def without(seen: Seen, columns: list[str]) -> Seen:
    """The same without the vectors of some columns."""
    kept = {n: v for n, v in seen.vectors.items() if n not in columns}
    return Seen(seen.rows, seen.present, seen.numbers, seen.names, kept, seen.said)


def answers_of(
    job: config.Job, loader: Loader, backed: HeldBack, found: Calibration
) -> dict[str, Say]:
    """Answers to rows held back as the run will give them, beside their truth."""
    said: dict[str, Say] = {}
    for task, own in backed.answers.items():
        answers = {task: finished(loader, task, own, job, found)}
        truths = truth_of(loader, own.rows)
        said |= say_answers(job.tasks, loader.targets, answers, truths)
    return said


def finished(
    loader: Loader, task: str, own: HeldAnswer, job: config.Job, found: Calibration
) -> Answer:
    """One task's answers after their stage, with what they promise."""
    stage, promise = found.stages.get(task), found.promises.get(task)
    after = own.answer if stage is None else stage.apply(own.answer)
    if promise is None:
        return after
    groups = groups_of(loader, own.rows, statuses(loader, own.rows), job.calibrate.by)
    given = (job.tasks, {task: promise}, {task: own.answer}, {task: after})
    return keep_promises(*given, groups)[task]
