"""Writes a run's report anew: on its own test rows, or on another table."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.table_caveats import sentence
from modalloy.bundle.bundled import Bundle, is_bundle
from modalloy.checks.finding import BUNDLE, Finding, finding, reading_notes, some
from modalloy.errors import RunError, TableError
from modalloy.job.job_file import FRAME, check_against
from modalloy.judge.figures import truth_of
from modalloy.judge.report import Report
from modalloy.policy.plan import no_longer_holds
from modalloy.report.card import write_card
from modalloy.report.evaluate import evaluate_rows
from modalloy.report.extras import Extras
from modalloy.runs.adapters import is_usual
from modalloy.runs.learned_from import ADAPTED_ROWS, CALIBRATED_ROWS, prints_in
from modalloy.runs.parts import CHECKPOINTS, PAGE
from modalloy.runs.run import Run
from modalloy.table.fingerprints import learned_rows, same_parts
from modalloy.table.open_table import open_table
from modalloy.table.split import learnable, split_job
from modalloy.table.table import Table


def evaluate_run(
    run: Run, table: Any, out: Path | None, *, device: str | None = None, quiet: bool
) -> Report:
    """Score a run on its own test rows, or on all rows of another table that have an answer.

    The run's card is written anew together with the run's own report, never for another table.
    Nor of an adapter that is not its usual one. A finished training that was interrupted before its
    report needs its checkpoints no longer. device: see `Predictor`. RunError for a bundle without a
    table: it holds none of its rows.
    """
    bundled = isinstance(run, Bundle)
    if bundled and table is None:
        raise RunError(
            f"{run.path}: is a bundle, which has no test rows of its own; give a table with the "
            f"answers: `modalloy evaluate {run.path} TABLE`."
        )
    own = table is None and is_usual(run)
    page = out or page_of(run.path, own=own)
    predictor = Predictor(run, device=device)
    if table is None:
        rows, which, extras = own_rows(predictor, quiet=quiet)
    else:
        rows, which, extras = given_rows(predictor, open_table(table), quiet=quiet)
    rows.remember()
    report = evaluate_rows(predictor.engine, rows, which, extras, page, quiet=quiet)
    if own and page.resolve() == (run.path / PAGE).resolve():
        write_card(run, report)
        if not run.notes.get("interrupted"):
            shutil.rmtree(run.path / CHECKPOINTS, ignore_errors=True)
    return report


def page_of(path: Path, *, own: bool) -> Path:
    """Where a run's figures are written, its own report or another one; those of a bundle beside
    it, since nothing is added to a bundle.
    """
    if is_bundle(path):
        return path.with_name(f"{path.stem}-evaluated.html")
    return path / (PAGE if own else "evaluated.html")


def own_rows(predictor: Predictor, *, quiet: bool = True) -> tuple[Loader, np.ndarray, Extras]:
    """The test rows of a run's own table; RunError where it no longer holds the rows it held."""
    run = predictor.run
    if run.job.table == FRAME:
        raise RunError(
            f"{run.path}: was trained on a frame in memory; give the table to evaluate on."
        )
    opened = open_table(run.job.table, sheet=run.job.sheet)
    loader, found = predictor.open(opened, answers=True, quiet=quiet)
    table = loader.table
    check_against(run.job, table)
    parts = split_job(table, run.job)
    if not same_parts(table, run.job, parts, run.prints()):
        raise RunError(
            f"{run.path}: {table.source} no longer holds the rows that this run was trained and "
            "tested on, so nobody can say which of them are new to the model. Put the old table "
            f"back, or score all rows of this one: `modalloy evaluate {run.path} {table.source}`."
        )
    known = earlier(run.path / "report.json")
    findings = [*run.notes["findings"], *(f.as_dict() for f in policy_findings(predictor))]
    extras = Extras(
        learnable(parts, loader.labelled),
        None,
        findings,
        run.notes["curves"],
        run.notes["seconds"],
        known,
        run.notes["refit"],
        known.before if known else {},
        caveats=found,
        blend=predictor.blend,
        stages=run.stages,
        likeness=predictor.likeness,
        made_of=run.notes.get("blend", {}),
        promises=predictor.promises,
        source=run.notes.get("calibrated_on", ""),
        buys=None if predictor.plan is None else predictor.bought,
    )
    return loader, parts.test, extras


def given_rows(
    predictor: Predictor, table: Table, *, quiet: bool = True
) -> tuple[Loader, np.ndarray, Extras]:
    """All rows of another table that some task has an answer for; rows learned from are named.

    The table needs the columns of one target; any other column that it lacks counts as missing.
    """
    run = predictor.run
    loader, which, found = answered_rows(predictor, table, quiet=quiet)
    table = loader.table
    prints = run.prints()
    own = [prints.train, prints.validation, prints.calibration]
    learned = np.concatenate([*own, *(prints_in(run, p) for p in (CALIBRATED_ROWS, ADAPTED_ROWS))])
    known = which[learned_rows(table, run.job, which, learned)]
    findings = [note.as_dict() for note in reading_notes(table)]
    findings += [finding("note", BUNDLE, note).as_dict() for note in predictor.engine.notes]
    if len(known):
        what = f"{len(known)} of {len(which)} rows are rows that the model has learned from"
        findings.append(finding("leak", "rows", what, known).as_dict())
    usual = run.notes.get("cells", {})
    findings += [f.as_dict() for f in policy_findings(predictor)]
    extras = Extras(
        findings=findings,
        caveats=found,
        usual=usual,
        blend=predictor.blend,
        stages=run.stages,
        likeness=predictor.likeness,
        made_of=run.notes.get("blend", {}),
        promises=predictor.promises,
        source=run.notes.get("calibrated_on", ""),
        buys=None if predictor.plan is None else predictor.bought,
    )
    return loader, which, extras


def policy_findings(predictor: Predictor) -> list[Finding]:
    """What is to be said of a run that buys columns row by row; nothing of any other."""
    if predictor.plan is None:
        return []
    what = (
        f"answers are those with the columns that the run's policy ({predictor.plan.arm}) buys for "
        "each row; subsets of columns are judged with the same columns for every row"
    )
    broken = no_longer_holds(predictor.run, predictor.plan)
    said = [finding("note", "policy", what)]
    return said + ([finding("warning", "policy", broken)] if broken else [])


def answered_rows(
    predictor: Predictor, table: Table, *, quiet: bool = True
) -> tuple[Loader, np.ndarray, list[Finding]]:
    """The rows of a table that some task has an answer for, and what was found of its columns."""
    run = predictor.run
    loader, found = predictor.open(table, answers=True, quiet=quiet)
    table = loader.table
    truths = truth_of(loader, np.arange(table.rows)).values()
    which = np.flatnonzero([any(t is not None for t in row) for row in zip(*truths, strict=True)])
    if not len(which):
        names = [c for t in run.targets.values() for c in t.columns]
        hints = "".join(f" {sentence(f)}." for f in found if f.where in names)
        raise TableError(
            f"{table.source}: no row has an answer to compare with: {some(map(repr, names))} is "
            f"absent or empty.{hints} `modalloy predict` answers rows without one."
        )
    return loader, which, found


def earlier(path: Path) -> Report | None:
    """The report that is there; None where it is gone or damaged: it is then made from scratch."""
    try:
        return Report.load(path)
    except RunError:
        return None
