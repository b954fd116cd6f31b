"""The end at the site with the answers: a run that answers rows with others' summaries or without
them, and how well it does."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.checks.finding import finding
from modalloy.federation.matched.label_side import LabelSide
from modalloy.federation.matched.own_job import matched_of
from modalloy.federation.matched.release import say_release
from modalloy.federation.site_run import told
from modalloy.judge.sections import Sections
from modalloy.learn.adapting import end_adapted
from modalloy.learn.held_out import hold_out
from modalloy.learn.progress import Progress
from modalloy.learn.run_lock import claim
from modalloy.learn.train_run import blend_and_save, report_on
from modalloy.learn.training import Learned
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts


def figures(side: LabelSide, loader: Loader) -> dict[str, Any]:
    """The network's figures on test rows: `split` with others' summaries, `without` them."""
    rows = side.parts.test
    if not len(rows):
        return {}
    others = frozenset(side.vectors)
    hides = (EVERYTHING, others) if len(others) < len(side.model.inputs) else (EVERYTHING,)
    seen = answer_rows(side.model, loader, rows, hidden=hides).seen
    found = {"split": told(loader, rows, seen[EVERYTHING])}
    if others in seen:
        found["without"] = told(loader, rows, seen[others])
    return found


def write_label_run(
    side: LabelSide, loader: Loader, out: Path, facts: Mapping[str, Any], *, quiet: bool
) -> Run:
    """Write the run, with what is fitted to validation rows, and its report. facts: what the server
    tells of bytes, passes and comparisons."""
    start = time.perf_counter()
    adapted = end_adapted(side.model)
    parts, job = side.parts, side.job
    progress = Progress(side.way.batch, side.way.epochs, epoch=side.epoch + 1, curves=side.curves)
    progress.best = side.score
    held = hold_out(side.model, loader, parts.train, parts.validation)
    learned = Learned(side.model, loader, parts, progress, held_out=held, adapted=adapted)
    others = sorted({name.partition(".")[0] for name in side.vectors})
    text = (
        f"learned by split training with {', '.join(others)}, whose cells were never here: their "
        f"summaries are the columns {', '.join(side.vectors)}, which may be missing"
    )
    said = [text, say_release(matched_of(job))]
    notes: dict[str, Any] = {
        "matched": {"site": side.site, "rows": loader.table.rows, **facts},
        "epochs": progress.epoch,
        "batch": progress.batch,
        "curves": side.curves,
        "seconds": {"training": float(facts.get("seconds", 0.0))},
        "refit": False,
        "findings": [finding("note", "federate", s).as_dict() for s in said],
        "cells": {},
    }
    if adapted is not None:
        notes["adapted"] = adapted
    made = Sections(())
    with claim(out, resume=False):
        save_prints(out, Parts(*(fingerprints(loader.table, job, p) for p in side.whole)))
        run, blended = blend_and_save(learned, out, notes, made)
        notes["seconds"]["report"] = time.perf_counter() - start
        report_on(learned, run, parts.test, None, made, blended, quiet=quiet)
    return run


def rows_in(parts: Parts) -> dict[str, int]:
    """How many rows each part has."""
    return {name: len(rows) for name, rows in parts._asdict().items()}
