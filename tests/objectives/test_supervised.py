"""A labelled batch gives the losses it should: hidden inputs, own heads, rows without an answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from modalloy.job.job_file import load_job
from modalloy.learn.training import open_loader
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import (
    CONSISTENCY,
    Name,
    drop_modalities,
    has_any,
    seen_only,
    supervised,
)
from modalloy.readers.batch import TABLE
from modalloy.table.split import split_job
from modalloy.table.table import open_table

MEDIA = ("note", "vibration")


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
    own = {Name(t, i) for t in ("fault", "life") for i in (TABLE, "note")}
    assert losses.keys() == {Name("fault"), Name("life"), CONSISTENCY} | own
    output = model(batch)
    y, known = batch.targets["fault"]["y"], batch.targets["fault"]["known"]
    logits = output.tasks["fault"]["logits"][:, 0]
    wanted = F.cross_entropy(logits[known], y[known])
    assert losses[Name("fault")].item() == pytest.approx(wanted.item(), rel=1e-5)
    # The head of `note` alone learns from rows that have both a note and an answer.
    known = batch.targets["life"]["known"] & batch.present["note"]
    assert 0 < known.sum() < batch.targets["life"]["known"].sum()
    value = output.auxiliary["life"]["note"]["value"][:, 0]
    wanted = F.mse_loss(value[known], batch.targets["life"]["y"][known].float())
    assert losses[Name("life", "note")].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_task_without_an_answer_in_the_batch_costs_nothing(
    small_table: Path, job_dict: Any
) -> None:
    model, batch = model_and_batch(small_table, job_dict, ("note", "load"))
    model.eval()
    before = supervised(model, batch)[Name("fault")].item()
    batch.targets["life"]["known"][:] = False
    losses = supervised(model, batch)
    assert {n: v.item() for n, v in losses.items() if n.task == "life"} == {
        n: 0.0 for n in losses if n.task == "life"
    }
    assert losses[Name("fault")].item() == pytest.approx(before, rel=1e-6)
    sum(losses.values()).backward()


def test_an_own_head_learns_from_rows_that_show_its_input(small_table: Path, job_dict: Any) -> None:
    _, batch = model_and_batch(small_table, job_dict, ("note", "load", "site"))
    before = batch.targets["life"]["known"].clone()
    for name in ("note", TABLE):
        shown = seen_only(batch, "life", name).targets["life"]["known"]
        assert torch.equal(shown, before & has_any(batch.present[name]))
    assert torch.equal(batch.targets["life"]["known"], before)
    assert torch.equal(seen_only(batch, "life", "note").targets["fault"]["known"][:3], before[:3])


def hidden_share(model: Model, batch: Batch, times: int) -> dict[str, float]:
    """Share of the present rows of each input that lose all of it, over many draws."""
    lost = dict.fromkeys(model.inputs, 0)
    for _ in range(times):
        dropped = drop_modalities(model, batch)
        for i in model.inputs:
            lost[i] += int((has_any(batch.present[i]) & ~has_any(dropped.present[i])).sum())
    return {i: n / times / int(has_any(batch.present[i]).sum()) for i, n in lost.items()}


def test_media_are_hidden_at_the_rate_asked_for_and_one_stays(
    small_table: Path, job_dict: Any
) -> None:
    settings = fuse(modality_dropout=0.4)
    model, batch = model_and_batch(small_table, job_dict, MEDIA, fuse=settings)
    present = torch.stack([batch.present[i] for i in MEDIA], 1)
    assert 0 < (present.sum(1) == 1).sum() < 40
    torch.manual_seed(0)
    shares = hidden_share(model, batch, 400)
    for m, name in enumerate(MEDIA):
        # A row with both loses this one alone at .4 * .6; a row with one never loses it.
        both = present.all(1).sum() / present[:, m].sum()
        assert shares[name] == pytest.approx(float(both) * 0.4 * 0.6, abs=0.01)
    for _ in range(50):
        left = drop_modalities(model, batch).present
        kept = torch.stack([left[i] for i in MEDIA], 1)
        assert torch.equal(kept.any(1), present.any(1))
        assert not (kept & ~present).any()


def test_a_lone_medium_is_hidden_a_fifth_as_often(small_table: Path, job_dict: Any) -> None:
    settings = fuse(modality_dropout=0.5)
    model, batch = model_and_batch(small_table, job_dict, ("note",), fuse=settings)
    torch.manual_seed(0)
    assert hidden_share(model, batch, 500)["note"] == pytest.approx(0.1, abs=0.01)


def test_single_cells_are_hidden_a_fifth_as_often(small_table: Path, job_dict: Any) -> None:
    settings = fuse(modality_dropout=0.5)
    columns = ("note", "load", "site", "taken_at")
    model, batch = model_and_batch(small_table, job_dict, columns, fuse=settings)
    before, kept, rows = batch.present[TABLE].clone(), 0, 0
    torch.manual_seed(0)
    for _ in range(400):
        after = drop_modalities(model, batch).present[TABLE]
        stays = after.any(1)  # the table itself was not hidden
        kept += int(after[stays].sum())
        rows += int(before[stays].sum())
    # Hiding all three cells of a row one by one is rarer than one in a thousand.
    assert 1 - kept / rows == pytest.approx(0.1, abs=0.01)
    assert torch.equal(batch.present[TABLE], before)


def test_nothing_is_hidden_outside_training_nor_from_a_task_that_needs_it(
    small_table: Path, job_dict: Any
) -> None:
    settings = fuse(modality_dropout=0.9)
    tasks = {"parts": {"type": "tag", "target": "tags", "on": "words"}}
    model, batch = model_and_batch(
        small_table, job_dict, ("note", "words"), fuse=settings, tasks=tasks
    )
    words = batch.present["words"].clone()
    for _ in range(20):
        assert torch.equal(drop_modalities(model, batch).present["words"], words)
    assert hidden_share(model, batch, 20)["note"] > 0.8
    model.eval()
    assert supervised(model, batch)[Name("parts")] == supervised(model, batch)[Name("parts")]
