"""A labelled batch gives the losses it should: own heads, rows without an answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import has_any
from modalloy.objectives.supervised import (
    seen_only,
    supervised,
)
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


def model_and_batch(
    table: Path, job_dict: Any, columns: tuple[str, ...], rows: int = 40, **changes: Any
) -> tuple[Model, Batch]:
    listed = job_dict(table, columns=[c for c in columns if c != "words"], **changes)
    if "words" in columns:
        listed["columns"]["words"] = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
    job = load_job(listed)
    opened = open_table(job.table)
    read = open_loader(job, opened, split_job(opened, job))
    model = Model(job, read.readers, read.targets, pretrained=False)
    return model, Batch.of(read.batch(np.arange(rows)))


def fuse(**settings: Any) -> dict[str, Any]:
    return {"type": "concat", "width": 16, "layers": 1, **settings}


def test_losses_are_named_and_have_the_value_of_their_formula(
    small_table: Path, job_dict: Any
) -> None:
    settings = fuse(auxiliary=0.5, consistency=0.5)
    model, batch = model_and_batch(small_table, job_dict, ("note", "load"), fuse=settings)
    model.eval()
    losses = supervised(model, batch)
    own = {f"{t}/{i}" for t in ("fault", "life") for i in (TABLE, "note")}
    assert losses.keys() == {"fault", "life", "consistency"} | own
    output = model(batch)
    y, known = batch.targets["fault"]["y"], batch.targets["fault"]["known"]
    logits = output.tasks["fault"]["logits"][:, 0]
    wanted = F.cross_entropy(logits[known], y[known])
    assert losses["fault"].item() == pytest.approx(wanted.item(), rel=1e-5)
    # The head of `note` alone learns from rows that have both a note and an answer.
    known = batch.targets["life"]["known"] & batch.present["note"]
    assert 0 < known.sum() < batch.targets["life"]["known"].sum()
    value = output.auxiliary["life"]["note"]["value"][:, 0]
    wanted = F.mse_loss(value[known], batch.targets["life"]["y"][known].float())
    assert losses["life/note"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_task_without_an_answer_in_the_batch_costs_nothing(
    small_table: Path, job_dict: Any
) -> None:
    model, batch = model_and_batch(small_table, job_dict, ("note", "load"))
    model.eval()
    before = supervised(model, batch)["fault"].item()
    batch.targets["life"]["known"][:] = False
    losses = supervised(model, batch)
    assert {n: v.item() for n, v in losses.items() if n.startswith("life")} == {
        "life": 0.0,
        "life/table": 0.0,
        "life/note": 0.0,
    }
    assert losses["fault"].item() == pytest.approx(before, rel=1e-6)
    sum(losses.values()).backward()


def test_an_own_head_learns_from_rows_that_show_its_input(small_table: Path, job_dict: Any) -> None:
    _, batch = model_and_batch(small_table, job_dict, ("note", "load", "site"))
    before = batch.targets["life"]["known"].clone()
    for name in ("note", TABLE):
        shown = seen_only(batch.targets["life"], batch.present[name])["known"]
        assert torch.equal(shown, before & has_any(batch.present[name]))
    assert torch.equal(batch.targets["life"]["known"], before)
