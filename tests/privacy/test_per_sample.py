"""Gradients of single rows are those of single backward passes, whatever learns, and Opacus'."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.optimizer import trained
from modalloy.learn.state import State
from modalloy.model.adapters.attach import BESIDE, attach
from modalloy.model.encoders.text import MINILM
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.objectives.supervised import supervised
from modalloy.privacy.per_sample import PerSample, per_sample, private_total, rows_of
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

MINILM_NOTE = {"type": "text", "encoder": "minilm", "max_tokens": 16}
TAGS = {"ner": {"type": "tag", "target": "tags", "on": "words"}}


@pytest.fixture(autouse=True)
def _one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer stands for all that are alike."""
    monkeypatch.setitem(MINILM, "num_hidden_layers", 1)


def made(job: dict[str, Any], rows: int) -> tuple[Model, Batch]:
    """An untrained model of a job, and its first rows."""
    loaded = load_job(job)
    table = open_table(loaded.table)
    loader = open_loader(loaded, table, split_job(table, loaded))
    torch.manual_seed(0)
    model = Model(loaded, loader.readers, loader.targets, pretrained=False)
    return model, Batch.of(loader.batch(np.arange(rows)))


def moved(model: Model) -> Model:
    """With parts beside layers that no longer begin from nothing, so that all have gradients."""
    with torch.no_grad():
        for _, p in trained(model):
            p.add_(torch.randn_like(p) * 0.05)
    return model


def by_backward(model: Model, total: Any, batch: Batch) -> list[dict[str, Tensor]]:
    """The slow way: one row after the other, by `backward`."""
    model.eval()
    found = []
    for row in range(len(batch)):
        model.zero_grad()
        total(supervised(model, rows_of(batch, np.array([row])))).backward()
        grads = {n: p.grad for n, p in trained(model)}
        learned = dict(trained(model))
        found.append(
            {n: torch.zeros_like(learned[n]) if g is None else g.clone() for n, g in grads.items()}
        )
    return found


def furthest(found: dict[str, Tensor], slow: list[dict[str, Tensor]]) -> float:
    """The largest difference, in lengths of the largest entry of any gradient above one."""
    longest = max(1.0, *(float(g.abs().max()) for one in slow for g in one.values()))
    apart = (
        float((found[n][row] - g).abs().max())
        for row, one in enumerate(slow)
        for n, g in one.items()
    )
    return max(apart) / longest


@pytest.mark.parametrize("method", [*BESIDE, "full", "head", "last_n"])
def test_every_method_has_the_gradients_of_rows_alone(
    method: str, small_table: Path, job_dict: Any
) -> None:
    job = job_dict(small_table, columns=("note", "load"))
    job["columns"]["note"] = dict(MINILM_NOTE)
    model, batch = made(job, 6)
    assert not batch.present["note"].all(), "a row lacks its note"
    attach(model, config.Adapter(method=method, last_n=1, rank=None))
    moved(model)
    total = private_total(model.job)
    way = per_sample(model, supervised, total, batch)
    assert way.common == "masks", way.because
    found = way.of(batch)
    assert found.by_name.keys() == dict(trained(model)).keys()
    slow = by_backward(model, total, batch)
    assert furthest(found.by_name, slow) <= 1e-5
    assert any(bool(g.any()) for n, g in found.by_name.items() if n.startswith("encoders")) == (
        method != "head"
    )
    assert torch.allclose(way.totals(batch), found.total_B, atol=1e-5)


@pytest.mark.parametrize(
    ("columns", "common"),
    [
        (("photo",), "presence"),
        (("vibration",), "masks"),
        (("note", "load", "site", "taken_at"), "masks"),
        (("load", "site"), "presence"),
    ],
)
def test_every_encoder_has_the_gradients_of_rows_alone(
    columns: tuple[str, ...], common: str, small_table: Path, job_dict: Any
) -> None:
    model, batch = made(job_dict(small_table, columns=columns), 6)
    total = private_total(model.job)
    way = per_sample(model, supervised, total, batch)
    assert way.common == common, way.because
    assert furthest(way.of(batch).by_name, by_backward(model, total, batch)) <= 1e-5
    assert (
        furthest(replace(way, common=None).of(batch).by_name, by_backward(model, total, batch))
        <= 1e-5
    )


def test_what_cannot_be_run_together_is_run_row_by_row_and_said(
    small_table: Path, job_dict: Any
) -> None:
    job = job_dict(small_table, columns=())
    job["columns"]["words"] = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
    model, batch = made(job | {"tasks": TAGS}, 4)

    def picky(net: Model, rows: Batch) -> Losses:
        losses = supervised(net, rows)
        if losses["ner"] > 0:  # looks at what is said of a row
            losses["ner"] = 2 * losses["ner"]
        return losses

    total = private_total(model.job)
    way = per_sample(model, picky, total, batch)
    assert way.common is None
    assert way.facts()["gradients"] == "row by row"
    assert "vmap" in way.facts()["because"]
    slow = [{n: 2 * g for n, g in one.items()} for one in by_backward(model, total, batch)]
    assert furthest(way.of(batch).by_name, slow) <= 1e-5
    assert way.totals(batch).shape == (4,)


def test_another_error_is_not_taken_for_that(small_table: Path, job_dict: Any) -> None:
    model, batch = made(job_dict(small_table, columns=("load",)), 3)
    calls = []

    def broken(net: Model, rows: Batch) -> Losses:
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("out of coffee")
        return supervised(net, rows)

    with pytest.raises(RuntimeError, match="out of coffee"):
        per_sample(model, broken, private_total(model.job), batch)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # as theirs do at first layers
def test_gradients_are_those_of_opacus(small_table: Path, job_dict: Any) -> None:
    opacus = pytest.importorskip("opacus")
    job = job_dict(small_table, columns=("note", "load"))
    job["columns"]["note"] = dict(MINILM_NOTE)
    model, batch = made(job, 16)
    attach(model, config.Adapter(method="lora", rank=None))
    moved(model)
    known = [t["known"] for t in batch.targets.values()]
    seen = torch.stack([batch.present["note"], batch.present["table"].any(1), *known]).all(0)
    batch = rows_of(batch, seen.nonzero().squeeze(1).numpy())
    total = private_total(model.job)
    found = per_sample(model, supervised, total, batch).of(batch).by_name
    model.eval()
    for module in model.modules():  # its hooks look at nothing that does not train
        module.training = any(p.requires_grad for p in module.parameters(recurse=False))
    hooked = opacus.GradSampleModule(model, strict=False)
    total(supervised(model, batch)).backward()
    names = [n for n, _ in trained(model)]
    assert any("lora_A" in n for n in names)
    assert any(n.startswith("tasks") for n in names)
    for name, p in trained(model):
        apart = (p.grad_sample - found[name]).abs().max()
        assert apart <= 1e-5 * max(1.0, float(found[name].abs().max())), name
    hooked.remove_hooks()


def test_running_figures_and_dropout_stand_still(small_table: Path, job_dict: Any) -> None:
    model, batch = made(job_dict(small_table, columns=("photo",)), 4)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    before = {n: t.clone() for n, t in model.named_buffers()}
    model.train()
    way = PerSample(model, supervised, private_total(model.job))
    first, second = way.of(batch).by_name, way.of(batch).by_name
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert all(torch.equal(t, before[n]) for n, t in model.named_buffers())
    assert model.training
    assert len(way.facts()["running_figures_held"]) >= len(norms) > 0


def test_tables_of_vectors_have_dense_gradients(small_table: Path, job_dict: Any) -> None:
    model, batch = made(job_dict(small_table, columns=("note",)), 3)
    state = State.begin(model, private_total(model.job), model.job.train, 1)
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    assert any(m.sparse for m in tables)
    found = per_sample(model, supervised, state.total, batch).of(batch).by_name
    assert not any(g.is_sparse for g in found.values())
    assert any(m.sparse for m in tables)


@pytest.mark.parametrize("weighting", ["uncertainty", "famo", "pcgrad"])
def test_a_total_that_looks_at_rows_is_refused(
    weighting: str, small_table: Path, job_dict: Any
) -> None:
    job = job_dict(small_table, columns=("load",), train={"weighting": weighting})
    with pytest.raises(JobError, match=f"train.weighting: {weighting} weighs .*; take sum"):
        private_total(load_job(job))


def test_weights_of_classes_are_refused(small_table: Path, job_dict: Any) -> None:
    job = job_dict(small_table, columns=("load",))
    job["tasks"]["fault"]["class_weights"] = "balanced"
    with pytest.raises(JobError, match=r"tasks.fault.class_weights: .* leave them out"):
        private_total(load_job(job))
