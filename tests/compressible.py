"""Small models whose layers can be made cheaper, and rows for them: for tests of compression."""

import copy
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

import encoder_cases
from bare import Bare, bare
from checkpoints import siglip
from conftest import make_job
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

CASES = encoder_cases.CASES | {
    "image hf siglip": encoder_cases.hf(encoder_cases.image, siglip),
    "text hf siglip": encoder_cases.hf(encoder_cases.text, siglip),
}


class Alone(Bare):
    """One encoder, a fusion and a head that reads batches of the column `x`."""

    def forward(self, batch: Any) -> Tensor:
        """(B, 3)."""
        return super().forward(batch.values["x"])


def alone(case: Callable[[Any], Any], folder: Path, rows: int = 6) -> tuple[Any, Batch]:
    """The model of a case of an encoder, and rows for it."""
    model, values = bare(case, folder, rows)
    model.__class__ = Alone
    return model, Batch({"x": values}, {"x": torch.ones(rows, dtype=torch.bool)})


def classes(model: Any, batch: Batch) -> Losses:
    """Cross entropy of three classes that go by turns."""
    losses = Losses()
    y = torch.arange(len(batch)) % 3
    losses.add("y", F.cross_entropy(model(batch), y), torch.tensor(len(batch)))
    return losses


def told(model: Any, batch: Batch) -> Tensor:
    """What a model answers now."""
    with torch.no_grad():
        return model(batch)


def write_notes(path: Path, *, rows: int = 240) -> Path:
    """`note`, some words; `kind` says which of two of them comes first, or that one is missing; and
    the number `load`.
    """
    draw = np.random.default_rng(0)
    words, notes, kinds = [f"word{i}" for i in range(12)], [], []
    for _ in range(rows):
        length, kind = int(draw.integers(4, 9)), int(draw.integers(0, 3))
        some = [words[i] for i in draw.integers(2, 12, length)]
        early, late = sorted(draw.choice(length, 2, replace=False))
        some[early], some[late] = words[kind == 1], words[kind == 0]
        if kind == 2:
            some[draw.choice([early, late])] = words[2]
        notes.append(" ".join(some))
        kinds.append(("first", "second", "neither")[kind])
    frame = pd.DataFrame({"note": notes, "kind": kinds, "load": draw.normal(size=rows).round(3)})
    frame.to_csv(path, index=False)
    return path


LONG = 800  # steps after which a network is nearly always right, whichever processor it learns on


def learned(folder: Path, *, steps: int = 150, rows: int = 600, **changes: Any) -> Any:
    """A model of notes and numbers that has learned a little, training rows and others.

    The answer: model, batches that it learned from, batches that it did not.
    """
    made = trained(steps, rows) if not changes else train(folder, steps, rows, changes)
    return copy.deepcopy(made)


@functools.cache
def trained(steps: int, rows: int) -> Any:
    """The same for all tests of a process: it takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        return train(Path(folder), steps, rows, {})


def train(folder: Path, steps: int, rows: int, changes: dict[str, Any]) -> Any:
    """Write the table, learn; see `learned`."""
    table = write_notes(folder / "notes.csv", rows=rows)
    given: dict[str, Any] = {
        "columns": {
            "note": {"type": "text", "max_tokens": 12, "vocabulary": 64},
            "load": {"type": "number"},
        },
        "tasks": {"kind": {"type": "classify", "target": "kind"}},
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "split": {"random": "stratified"},
    } | changes
    job = load_job(make_job(table) | given)
    source = open_table(job.table)
    parts = split_job(source, job)
    loader = open_loader(job, source, parts)
    torch.manual_seed(0)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    learn = [Batch.of(loader.batch(some)) for some in split(parts.train, 48)]
    held = [Batch.of(loader.batch(some)) for some in split(parts.validation, 48)]
    change = torch.optim.Adam(model.parameters(), 3e-3)
    model.train()
    for step in range(steps):
        batch = learn[step % len(learn)]
        output = model(batch)
        loss = [model.task(n).loss(out, batch.targets[n]) for n, out in output.tasks.items()]
        change.zero_grad()
        torch.stack(loss).sum().backward()
        change.step()
    return model.eval(), learn, held


def split(rows: Any, size: int) -> list[Any]:
    """Row numbers in groups."""
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def chances(model: Any, batches: Any) -> torch.Tensor:
    """The probability of each class for each row."""
    with torch.no_grad():
        found = [model(batch).tasks["kind"]["logits"].mean(1).softmax(-1) for batch in batches]
    return torch.cat(found)


def decisions(model: Model, batches: list[Batch], task: str = "kind") -> Tensor:
    """The class that a model chooses for each row."""
    with torch.no_grad():
        found = [model(batch).tasks[task]["logits"].mean(1).argmax(1) for batch in batches]
    return torch.cat(found)
