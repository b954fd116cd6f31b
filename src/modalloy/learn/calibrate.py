"""How sure a trained model answers and what its answers promise, fitted on rows that what answers
them had not learned from.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, assert_never

import numpy as np

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.blended import blended
from modalloy.answer.conformal import fewest
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.precision import Precision
from modalloy.answer.promise import Known, Promise, fit_promise
from modalloy.answer.row_groups import groups_of
from modalloy.answer.stage import Stage, fit_stage
from modalloy.answer.table_caveats import statuses
from modalloy.answer.thresholds import Thresholds
from modalloy.blend.mixture import Blend
from modalloy.checks.finding import some
from modalloy.job import config
from modalloy.learn.held_out import HeldAnswer
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.tasks.kit import kit_of

# Rows of the split's calibration part; validation rows that the model never learned from; rows that
# were answered by networks of other folds or by the one before `refit`; rows of another table.
Source = Literal["kept", "validation", "crossed", "given"]


class Calibration(NamedTuple):
    """What is done to answers after the blend, and what they promise, by task.

    source: the rows that it was fitted on. said: what could not be promised, a sentence each.
    """

    source: Source
    stages: dict[str, Stage]
    promises: dict[str, Promise]
    said: list[str]


NO_CALIBRATION = Calibration("kept", {}, {}, [])


class HeldBack(NamedTuple):
    """Answers to rows that what gave them had not learned from, by task; before any stage."""

    source: Source
    answers: Mapping[str, HeldAnswer]


def held_back(
    model: Model,
    loader: Loader,
    kept: np.ndarray,
    blend: Blend,
    held: Mapping[str, HeldAnswer],
    *,
    crossed: bool,
) -> HeldBack:
    """The answers that a calibration at the end of a training is fitted on.

    kept: the rows of the calibration part, which are taken where there are any; else those in
    `held`, answered without having been learned from. crossed: by other networks than the finished
    one, each of which had learned from other rows (cross-conformal prediction, Vovk 2015, arXiv
    1208.0806: what such sets hold is close to what they promise, and no proof says how close).
    """
    if len(kept) and model.job.calibrate.use != "never":
        return HeldBack("kept", answer_kept(model, loader, kept, blend))
    return HeldBack("crossed" if crossed else "validation", held)


def calibrate_learned(model: Model, loader: Loader, held: HeldBack) -> Calibration:
    """What is fitted at the end of a training on rows that were held back."""
    asked = model.job.calibrate
    if asked.use == "never":
        return NO_CALIBRATION
    known = {task: known_rows(loader, task, a, asked.by) for task, a in held.answers.items()}
    return fit_calibration(model.job, loader.targets, known, source=held.source)


def answer_kept(
    model: Model, loader: Loader, rows: np.ndarray, blend: Blend
) -> dict[str, HeldAnswer]:
    """Answers to these rows as the blend makes them, by task."""
    answered = answer_rows(model, loader, rows, heads=blend.heads, widths=blend.widths)
    answers = blended(blend, answered, loader, rows)[EVERYTHING]
    return {task: HeldAnswer(rows, answer) for task, answer in answers.items()}


def known_rows(loader: Loader, task: str, held: HeldAnswer, by: Sequence[str]) -> Known:
    """These rows with their truth and their kinds; the rows have been read by this loader."""
    target = loader.targets[task]
    truth = list(target.truth(loader.cells(target.columns, held.rows)))
    groups = groups_of(loader, held.rows, statuses(loader, held.rows), by)
    return Known(held.answer, truth, groups)


def fit_calibration(
    job: config.Job, targets: Mapping[str, Any], known: Mapping[str, Known], *, source: Source
) -> Calibration:
    """Stages and promises of every task that has rows enough for them."""
    found = Calibration(source, {}, {}, [])
    for task, options in job.tasks.items():
        if task not in known:
            continue
        names, rows = names_of(targets[task]), known[task]
        if kit_of(options).whole_row:
            stage = fit_stage(names, rows.truth, rows.answer, several=options.several)
            found.stages.update({} if stage is None else {task: stage})
        promise = fit_promise(options, names, rows, job.calibrate)
        if promise is not None and (isinstance(promise, Precision) or promise.useful):
            found.promises[task] = promise
        found.said.extend(lacks(task, options, names, rows.truth, promise, job.calibrate.coverage))
    return found


def lacks(
    task: str,
    options: config.TaskOptions,
    names: Sequence[str] | None,
    truth: Sequence[Any],
    promise: Promise | None,
    coverage: float,
) -> Iterator[str]:
    """What rows are too few to promise, with how many are needed."""
    known = [t for t in truth if t is not None]
    if kit_of(options).promises is None:
        if options.type == "generate":
            yield f"{task}: nothing is promised of texts; how sure they are is the decoder's word"
        return
    need = fewest(coverage)
    match promise:
        case None:
            yield f"{task}: no row to calibrate with has an answer; at least {need} are needed"
        case Thresholds():
            share = f"{100 * coverage:g} %"
            if not promise.useful:
                rare = "" if promise.method != "labels" else " with one label"
                yield (
                    f"{task}: {len(known)} rows are too few to calibrate with: a coverage of "
                    f"{share} needs at least {need} rows{rare}"
                )
            seen = {n for t in known for n in (t if options.several else [t])}
            if gone := [n for n in names or () if n not in seen]:
                what = "label" if options.several else "class"
                yield (
                    f"{task}: {some(map(repr, gone))} is the {what} of none of the {len(known)} "
                    "rows to calibrate with, so nothing is known of how sure such answers are"
                )
        case Precision():
            if promise.limit is None:
                yield (
                    f"{task}: {promise.found} spans or boxes in {len(known)} rows show no score "
                    f"from which on {100 * coverage:g} % are right, so none is called sure"
                )
        case _:
            assert_never(promise)
