"""The whole way of `pretrain`: a job and open tables, learned without labels; a run out."""

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from safetensors.torch import save

from modalloy.answer.loader import Loader
from modalloy.checks.finding import Finding, finding
from modalloy.drawing.artist import Artist
from modalloy.drawing.sheet import sheets_of
from modalloy.job import config
from modalloy.job.steps import rows_a_step, steps_a_pass
from modalloy.learn import processes
from modalloy.learn.adapting import begin_adapted, end_adapted
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.further_rows import Further, begin_with, further_rows, refuse_others
from modalloy.learn.phase import PRETRAIN
from modalloy.learn.pretexts import build_pretexts, pretext_plan, settled
from modalloy.learn.progress import LAST, Progress
from modalloy.learn.run_lock import claim, refuse_changed
from modalloy.learn.train import train_model
from modalloy.learn.unlabelled_rows import Rows, open_unlabelled, said_of, unreadable_cells
from modalloy.model.body import Body
from modalloy.model.device import placed
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress
from modalloy.objectives.contrast import Contrast
from modalloy.objectives.pretext import Pretraining, pretraining
from modalloy.objectives.rebuilt.build import keeps_still
from modalloy.readers.batch import inputs_of
from modalloy.report.pretrained import pretrained_page
from modalloy.runs.learned_from import UNLABELLED_ROWS, to_part
from modalloy.runs.rows import save_prints
from modalloy.runs.run import PRETEXTS, PRETRAINED, Run
from modalloy.runs.saving import save_run
from modalloy.runs.space import SPACE
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, split_known
from modalloy.table.table import Table

PAGE, FIGURES = "pretrain.html", "pretrain.json"  # parts of a pretrained run
MOST_SHOWN = 8  # rows of a contact sheet
MOST_JUDGED = 2000  # rows that say when to end
FEWEST_PASSES = 5  # of `epochs: auto`


class Learned(NamedTuple):
    """A network that has learned without labels, and how that went.

    first: what its methods cost on the rows kept apart before the first step.
    """

    model: Pretraining
    rows: Rows
    progress: Progress
    first: dict[str, dict[str, float]]
    seconds: float


def pretrain_run(
    job: config.Job, tables: Sequence[Table], out: Path, *, resume: bool, quiet: bool
) -> Run:
    """Learn from the training rows of the first table and the rows of the others, and write a run.

    Rows that are held back are never learned from, wherever they lie, and no target is read but to
    split rows as `train` does. JobError for a further table without a column of the job, TableError
    where a column is empty in all rows or there are none, RunError where the directory is used, or
    a table has changed since what is resumed began.
    """
    rank, world = processes.start()
    table, others, said = tables[0], tables[1:], list(said_of(job, tables))
    with ExitStack() as held:

        def look() -> tuple[Parts, Further]:
            held.enter_context(claim(out, resume=resume))
            parts = split_known(table, job)
            prints = Parts(*(fingerprints(table, job, part) for part in parts))
            further = further_rows(job, others, prints)
            if resume:
                refuse_changed(out, table, job, parts)
                refuse_others(out, others, further.prints)
            begin_with(out, further.prints)
            save_prints(out, prints)
            return parts, further

        parts, further = processes.first_decides(look, world)
        of = [parts.train, *further.of]
        learned = learn(job, tables, of, out, resume=resume, quiet=quiet)
        processes.stop()
        notes = notes_of(learned, [*said, *further.said(others)], world)
        if rank > 0:
            body = learned.model.body
            return Run(out, job, body.readers, {}, body.trunk_configs(), notes, kind=PRETRAINED)
        return keep(job, tables, learned, further.prints, notes, out)


def learn(
    job: config.Job,
    tables: Sequence[Table],
    of: Sequence[np.ndarray],
    out: Path,
    *,
    resume: bool,
    quiet: bool,
) -> Learned:
    """Fit readers, build the body and what its methods need, and train them."""
    start = time.perf_counter()
    rank, _ = processes.start()
    rows = open_unlabelled(job, tables, of, most=MOST_JUDGED)
    loader = rows.loader
    torch.manual_seed(job.seed)
    ways = settled(job.pretrain, inputs_of(loader.readers))
    body = Body(learning(job, ways), loader.readers, pretrained=True)
    fit_fronts(body, loader, rows.learned, seed=job.seed)
    body = placed(body)
    begin_adapted(body, None)
    model = placed(Pretraining(body, build_pretexts(body, ways)))
    still = {name for name in body.encoders if keeps_still(body, name)}
    every = np.concatenate([rows.learned, rows.judged])
    frozen_features(body, loader, every, only=still, quiet=quiet or rank > 0)
    plan = pretext_plan(model, loader, rows.judged)
    prime(model, loader, rows.learned[: rows_a_step(job, len(rows.learned))])
    first = plan.score().figures if plan.score is not None else {}
    parts = Parts(rows.learned, rows.judged, every[:0])
    settings = settings_of(job, len(rows.learned))
    given = (model, loader, parts, settings, out)
    progress = train_model(*given, plan=plan, resume=resume, quiet=quiet, phase=PRETRAIN)
    end_adapted(body)
    body.job = job
    return Learned(model, rows, progress, first, time.perf_counter() - start)


@torch.no_grad()
def prime(model: Pretraining, loader: Loader, some: np.ndarray) -> None:
    """Let running figures see a batch, so that what is asked before the first step is scaled as it
    is afterwards; no weight changes."""
    torch.manual_seed(model.body.job.seed)
    pretraining(model.train(), Batch.of(loader.batch(some), model.device))


def learning(job: config.Job, ways: config.Pretrain) -> config.Job:
    """The job as its body learns here, by these ways.

    Small parts stand beside pretrained layers alone, for what begins from nothing has no weights to
    stand beside; and `adalora`, whose ranks a task shares out, learns as `lora`.
    """
    columns = dict(job.columns)
    for name, options in job.columns.items():
        if isinstance(options, config.Trunk) and options.tune in get_args(config.Method):
            tune = "full" if options.encoder == "scratch" else options.tune
            tune = "lora" if tune == "adalora" else tune
            columns[name] = options.model_copy(update={"tune": tune})
    fuse = job.fuse.model_copy(update={"tune": "full"})
    return job.model_copy(update={"columns": columns, "fuse": fuse, "pretrain": ways})


def settings_of(job: config.Job, rows: int) -> config.Job:
    """The job as `train_model` takes it: passes and patience are those of `pretrain`."""
    asked = job.pretrain
    per_epoch = steps_a_pass(rows, rows_a_step(job, rows))
    passes = max(FEWEST_PASSES, math.ceil(asked.steps / max(1, per_epoch)))
    changes = {
        "epochs": passes if asked.epochs == "auto" else asked.epochs,
        "minutes": asked.minutes,
        "patience": asked.patience,
        "start": None,
    }
    return job.model_copy(update={"tasks": {}, "train": job.train.model_copy(update=changes)})


def notes_of(learned: Learned, said: Sequence[Finding], world: int) -> dict[str, Any]:
    """What the run keeps of how it was learned."""
    progress, rows = learned.progress, learned.rows
    found = [*said, *unreadable_cells(rows)]
    if progress.interrupted:
        what = f"interrupted after {progress.epoch} epochs; --resume goes on"
        found.append(finding("warning", "pretraining", what))
    return {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch + 1,
        "batch": progress.batch,
        "interrupted": progress.interrupted,
        "precision": "bfloat16" if progress.half else "float32",
        "channels_last": progress.channels_last,
        "probe_s": progress.probe,
        "processes": world,
        "curves": progress.curves,
        "seconds": {"training": learned.seconds, "steps": progress.seconds},
        "findings": [f.as_dict() for f in found],
        "pretrained": {
            "rows": len(rows.learned),
            "judged": len(rows.judged),
            "tables": [len(own) for own in rows.of],
            "before": learned.first,
            "after": progress.best.figures if progress.best else {},
            "methods": learned.model.pretexts.keys(),
        },
    }


def keep(
    job: config.Job,
    tables: Sequence[Table],
    learned: Learned,
    prints: Sequence[np.ndarray],
    notes: Mapping[str, Any],
    out: Path,
) -> Run:
    """Write the run with its page; what an interrupted one goes on from stays.

    prints: of the rows of further tables.
    """
    model = learned.model
    pretexts = {n: t.detach().cpu().contiguous() for n, t in model.pretexts.state_dict().items()}
    free = {
        PAGE: pretrained_page(list(model.body.readers), notes, sheets(learned)).encode(),
        FIGURES: json.dumps(notes["pretrained"], indent=1).encode(),
        PRETEXTS: save(pretexts),
    }
    if "contrast" in model.pretexts:
        contrast = model.pretexts["contrast"]
        assert isinstance(contrast, Contrast), "it is built by its name"
        free[SPACE] = contrast.space.to_bytes()
    if prints:
        free[UNLABELLED_ROWS] = to_part(np.unique(np.concatenate(prints)))
    run = save_run(
        out,
        job,
        model.body.readers,
        {},
        model.body,
        dict(notes),
        decimal=tables[0].decimal,
        parts=free,
        kind=PRETRAINED,
    )
    if not learned.progress.interrupted:
        shutil.rmtree((out / LAST).parent, ignore_errors=True)
    return run


def sheets(learned: Learned) -> dict[str, bytes]:
    """Contact sheets of what was learned to draw, by column: of rows kept apart, if there are."""
    model, rows = learned.model, learned.rows
    if "autoregress" not in model.pretexts:
        return {}
    method = model.pretexts["autoregress"]
    assert isinstance(method, Autoregress)
    some = rows.judged if len(rows.judged) else rows.learned
    return sheets_of(Artist(model.body, method), rows.loader, some[:MOST_SHOWN], seed=0)
