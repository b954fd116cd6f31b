"""One set, one method, one seed: the heads are learned once, then the method goes on from there.

Each method runs in a process of its own, so that its peak memory is its own. What the heads have
learned is kept in a folder and shared by all methods of a set and seed; so is nothing else.
"""

import json
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from bench.peft.cases import CASES, LABELS, TESTED, Case
from bench.shared_sets import open_job
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.score import score
from modalloy.learn.adapting import attach_here, end_adapted
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_first import hold_still, let_go, unchanging
from modalloy.learn.phase import WHOLE
from modalloy.learn.train import train_model
from modalloy.model.adapters.attach import BESIDE
from modalloy.model.adapters.file import adapter_to_bytes
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job


def run_cell(name: str, method: str, seed: int, data: Path, work: Path, shrink: float) -> dict:
    """Figures of one cell. shrink: of labels, test rows and passes, to try the bench quickly."""
    case = CASES[name]
    job = job_of(name, case, seed, data, shrink)
    table = open_table(job.table)
    loader, parts = rows_of(job, table, seed, shrink)
    torch.manual_seed(seed)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    heads_s = take_heads(model, loader, parts, job, case, work / f"{name}_{seed}", shrink)
    held = sum(p.numel() for p in model.parameters())
    start = time.perf_counter()
    options = options_of(case, method)
    attach_here(model, loader, parts.train, options)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    changes = passes(case, method, shrink)
    trained = job.model_copy(update={"train": job.train.model_copy(update=changes)})
    train_model(model, loader, parts, trained, work / f"{name}_{method}_{seed}", quiet=True)
    seconds = time.perf_counter() - start
    kept = adapter_to_bytes(model, base="0" * 64, name=method)
    note = end_adapted(model) or {}
    return {
        "set": name,
        "method": method,
        "seed": seed,
        "metric": case.metric,
        "score": judge(model, loader, parts.test)[case.metric],
        "learning": learning,
        "parameters": held,
        "file_kb": len(kept) / 1000,
        "seconds": seconds,
        "heads_s": heads_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "columns": note.get("columns", {}) if method in BESIDE or method == "ours" else {},
    }


def job_of(name: str, case: Case, seed: int, data: Path, shrink: float) -> config.Job:
    """The scoreboard's table and split, one column and one task, fine-tuned without validation."""
    from bench.shared_sets import job_files

    there = open_job(job_files(name)[0], data)
    made = {
        "table": there.table,
        "split": {"column": there.split.column, "validation": 0.0},
        "columns": {case.column: case.options},
        "tasks": {"task": case.task},
        "train": {
            "epochs": max(1, round(case.first * shrink)),
            "batch": 16,
            "encoder_lr": case.encoder_lr,
            "patience": 0,
            "folds": 0,
            "precision": "float32",
        },
        "seed": seed,
    }
    return load_job(made)


def rows_of(job: config.Job, table: Any, seed: int, shrink: float) -> tuple[Loader, Parts]:
    """Labels drawn by the seed, and the test rows that every method answers."""
    parts = split_job(table, job)
    count, tested = max(8, round(LABELS * shrink)), max(8, round(TESTED * shrink))
    draw = np.random.default_rng(seed)
    train = np.sort(draw.permutation(parts.train)[:count])
    test = np.sort(np.random.default_rng(0).permutation(parts.test)[:tested])
    # Readers and targets see all training rows: few labels would lack classes.
    loader = open_loader(job, table, parts)
    return loader, Parts(train, parts.validation[:0], test)


def take_heads(
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    case: Case,
    place: Path,
    shrink: float,
) -> float:
    """Learn all but the pretrained encoder, which runs once for each row, or take what another
    method's process has learned; the seconds that it took."""
    path, told = place.with_suffix(".safetensors"), place.with_suffix(".json")
    if path.is_file() and told.is_file():
        model.load_state_dict(load_file(path))
        return json.loads(told.read_text())["seconds"]
    start = time.perf_counter()
    given = (model, loader, parts, job, place)
    hold_still(model, loader, parts, place, again=False, resume=False, quiet=True)
    with unchanging(model):
        train_model(*given, quiet=True, phase=replace(WHOLE, checkpoint=None, still=True))
    let_go(model, loader)
    seconds = time.perf_counter() - start
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in model.state_dict().items()}, path)
    told.write_text(json.dumps({"seconds": seconds}))
    return seconds


def options_of(case: Case, method: str) -> config.Adapter:
    """How a method is asked for."""
    if method == "ours":
        return config.Adapter(method="rslora", layers="all", budget_kb=case.budget_kb)
    if method in ("head", "full"):
        return config.Adapter(method=method)
    ranked = {} if method == "ia3" else {"rank": case.rank}
    return config.Adapter.model_validate({"method": method, "layers": case.layers, **ranked})


def passes(case: Case, method: str, shrink: float) -> dict[str, Any]:
    """Of the method itself, and the rate of what it learns beside layers."""
    beside = {} if method in ("head", "full") else {"lr": case.beside_lr}
    return {"epochs": max(1, round(case.passes * shrink))} | beside


def judge(model: Model, loader: Loader, rows: np.ndarray) -> dict[str, float]:
    """Figures on test rows."""
    answers = answer_rows(model, loader, rows).seen[EVERYTHING]
    target = loader.targets["task"]
    truth = target.truth(loader.cells(target.columns, rows))
    return score(model.job.tasks["task"], truth, answers["task"], names_of(target))
