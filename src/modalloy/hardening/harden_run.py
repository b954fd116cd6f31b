"""The whole way of `harden`: a run in, judged, hardened and judged again; a new run out."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.predictor import Predictor
from modalloy.attacks.budget import budgets_of, whole_columns
from modalloy.checks.finding import Finding, finding
from modalloy.errors import JobError
from modalloy.hardening.judged import judge_rows
from modalloy.hardening.learn_on import learn_on
from modalloy.hardening.objective import refuse_training
from modalloy.hardening.page import robustness_page
from modalloy.hardening.rows import Rows, rows_of
from modalloy.hardening.told import Outcome, compare_judged, said_of
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.job.options import did_you_mean
from modalloy.judge.compared import Compared
from modalloy.judge.sections import Found, Other, Sections
from modalloy.learn.calibrate import answer_kept
from modalloy.learn.held_out import hold_out
from modalloy.learn.progress import Progress
from modalloy.learn.run_lock import claim
from modalloy.learn.train_run import blend_and_save
from modalloy.learn.training import Learned
from modalloy.runs.learned_from import CALIBRATED_ROWS, prints_in, to_part
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts
from modalloy.table.table import Table

PAGE, FIGURES = "robustness.html", "robustness.json"  # parts of a run that was hardened
TRAININGS: tuple[str, ...] = get_args(config.Harden.model_fields["training"].annotation)
ALONE = (
    "the run was blended with methods that no attack here reaches; the hardened run answers by its "
    "network alone, so that what was attacked is what answers"
)


def harden_run(
    run: Run,
    table: Table | None,
    out: Path | None,
    *,
    training: str | None = None,
    budgets: Mapping[str, str | float] | None = None,
    quiet: bool = False,
) -> Run:
    """A run like this one whose network has learned on under attack.

    table: rows to learn from; the run's own for None. out: its folder, `RUN-hardened` otherwise.
    training, budgets: in place of those in the job's `harden` section.
    """
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-hardened")
    job = hardened_job(run.job, table, training, budgets)
    predictor = Predictor(run)
    model, blended = predictor.model, bool(predictor.blend.tasks)
    refuse_training(model, job.harden)
    budgets_of(job, run.readers, job.harden.budgets)  # faults of these come first
    with claim(place, resume=False):
        rows = rows_of(run, job, predictor, table)
        whole_numbers = whole_columns(run.readers, rows.loader.cells, rows.parts.train)
        allowed = budgets_of(job, run.readers, job.harden.budgets, whole=whole_numbers)
        model.job = job
        judge = partial(judge_rows, model, rows.loader, rows.parts.test, allowed)
        before = judge() if len(rows.parts.test) else None
        whole = blended_answers(predictor, rows) if blended else {}
        went = learn_on(model, rows, allowed, place, earlier=run.notes, quiet=quiet)
        after = judge() if before is not None else None
        outcome = Outcome(run, model, rows, allowed, went, before, after, whole)
        said = [*rows.said, *([finding("note", "blend", ALONE)] if blended else ())]
        said += [finding(*words) for words in said_of(outcome)]
        return save_hardened(outcome, place, said)


def hardened_job(
    job: config.Job,
    table: Table | None,
    training: str | None,
    budgets: Mapping[str, str | float] | None,
) -> config.Job:
    """The job of the new run: it says how it was hardened, and that its network answers alone.

    JobError for a training that there is not.
    """
    changes: dict[str, Any] = {}
    if training is not None:
        if training not in TRAININGS:
            raise JobError(
                f"training: there is no '{training}'.{did_you_mean(training, TRAININGS)} There are "
                f"{', '.join(TRAININGS)}."
            )
        changes["training"] = training
    if budgets:
        changes["budgets"] = {**job.harden.budgets, **budgets}
    new = {
        "harden": job.harden.model_copy(update=changes),
        "blend": job.blend.model_copy(update={"use": "never"}),
    }
    job = job.model_copy(update=new)
    return job if table is None else load_job(job, table=table)


def blended_answers(predictor: Predictor, rows: Rows) -> Answers:
    """What the run answered to the test rows as a whole; nothing without any."""
    which = rows.parts.test
    if not len(which):
        return {}
    held = answer_kept(predictor.model, rows.loader, which, predictor.blend)
    return {task: one.answer for task, one in held.items()}


class AtOnce(Sections):
    """Parts whose failures are the caller's: nothing is written that lacks one."""

    def run(
        self, part: str, what: str, make: Callable[[], Found], otherwise: Other, *, task: str = ""
    ) -> Found | Other:
        """What `make` returns."""
        return make()


def save_hardened(outcome: Outcome, place: Path, said: list[Finding]) -> Run:
    """Fit anew what answers promise, and write the run with its page, all of it or nothing."""
    run, model, rows, went = outcome.run, outcome.model, outcome.rows, outcome.went
    progress = Progress(0, went.epochs, epoch=went.epochs, curves=went.curves)
    held = hold_out(model, rows.loader, rows.parts.train, rows.parts.validation)
    learned = Learned(model, rows.loader, rows.parts, progress, held_out=held)
    found = compare_judged(outcome, said)
    told = noted(outcome, found, said)
    notes = {
        **run.notes,
        "interrupted": False,
        "hardened": told,
        "findings": [*run.notes["findings"], *told["said"]],
        "seconds": {**run.notes["seconds"], "hardening": went.seconds},
    }
    free = {
        PAGE: robustness_page(found, told, outcome, said).encode(),
        FIGURES: json.dumps(told, indent=1).encode(),
    }
    prints, older = run.prints(), prints_in(run, CALIBRATED_ROWS)
    if rows.given:
        older, table = np.concatenate([older, *prints]), rows.loader.table
        prints = Parts(*(fingerprints(table, model.job, part) for part in rows.split))
    if len(older):
        free[CALIBRATED_ROWS] = to_part(older)
    save_prints(place, prints)
    parent = run.as_parent("harden")
    return blend_and_save(learned, place, notes, AtOnce(), parent=parent, parts=free)[0]


def noted(outcome: Outcome, found: Compared, said: list[Finding]) -> dict[str, Any]:
    """What the notes of the new run and `robustness.json` keep."""
    went, before, after = outcome.went, outcome.before, outcome.after
    budgets: dict[str, list[str]] = {}
    for budget in outcome.budgets:
        budgets.setdefault(budget.column, []).append(budget.text())
    return {
        "training": outcome.model.job.harden.training,
        "budgets": {column: ", ".join(sizes) for column, sizes in budgets.items()},
        "compared": found.as_dict(),
        "share": went.chosen.share,
        "tried": [list(t) for t in went.chosen.tried],
        "epochs": went.epochs,
        "seconds": went.seconds,
        "interrupted": went.interrupted,
        "said": [f.as_dict() for f in said],
        "before": None if before is None else before.suite.as_dict(),
        "after": None if after is None else after.suite.as_dict(),
    }


def say_changes(notes: Mapping[str, Any]) -> str:
    """The table of what hardening has changed, for a terminal."""
    return Compared.from_dict(notes["hardened"]["compared"]).text()
