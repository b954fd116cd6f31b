"""A small untrained network and the rows that tests attack, with slow views of what was changed."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from conftest import make_job, write_table
from modalloy.answer.loader import Loader
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


class Small(NamedTuple):
    """A network, the loader of its table, and the first rows of it."""

    model: Model
    loader: Loader
    batch: Batch


@cache
def _table() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="modalloy-attacked-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_table(folder)


def small(
    columns: tuple[str, ...] = ("load",),
    *,
    rows: int = 12,
    more: Mapping[str, dict[str, Any]] | None = None,
    **changes: Any,
) -> Small:
    """A network over columns of the small table, with the same weights every time."""
    listed = make_job(_table(), columns=columns, **changes)
    listed["columns"] |= more or {}
    job = load_job(listed)
    opened = open_table(job.table)
    loader = open_loader(job, opened, split_job(opened, job))
    torch.manual_seed(0)
    model = Model(job, loader.readers, loader.targets, pretrained=True).eval()
    return Small(model, loader, Batch.of(loader.batch(np.arange(rows))))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Logits(nn.Module):
    """The network as other libraries see it: one value of its only column in, logits out."""

    def __init__(self, found: Small, column: str, name: str, task: str = "fault") -> None:
        super().__init__()
        self.found, self.column, self.name, self.task = found, column, name, task

    def forward(self, x: Tensor) -> Tensor:
        given = self.found.batch.values[self.column]
        values = {k: v[: len(x)] for k, v in given.items()} | {self.name: x}
        here = torch.ones(len(x), dtype=torch.bool)
        batch = Batch({self.column: values}, {self.column: here})
        return self.found.model(batch).tasks[self.task]["logits"][:, 0]


def classifier(found: Small, column: str, name: str, ends: tuple[float, float]) -> Any:
    """The same for the adversarial robustness toolbox."""
    from art.estimators.classification import PyTorchClassifier

    shape = tuple(found.batch.values[column][name].shape[1:])
    return PyTorchClassifier(
        model=Logits(found, column, name),
        loss=nn.CrossEntropyLoss(),
        input_shape=shape,
        nb_classes=2,
        clip_values=ends,
        device_type="cpu",
    )
