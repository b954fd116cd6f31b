"""A checkpoint gives back the state of a training: every tensor, and where it lay."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.checkpoint import load_state, read_state, save_state
from modalloy.learn.fit import fit
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.state import State
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


def job_and_rows(table: Path, job_dict: Any, **train: Any) -> tuple[config.Job, Loader]:
    columns = ("note", "load", "site")
    job = load_job(job_dict(table, columns=columns, train={"batch": 16} | train))
    opened = open_table(job.table)
    return job, open_loader(job, opened, split_job(opened, job))


def begin(job: config.Job, loader: Loader, device: str = "cpu") -> State[Model]:
    model = Model(job, loader.readers, loader.targets, pretrained=False).to(device)
    return State.begin(model, Weighting(job), job.train, 20)


def train(state: State[Model], job: config.Job, batches: list[Batch]) -> int:
    """How many steps it took."""
    return len(list(fit(state, supervised, batches, settings=job.train, seed=job.seed)))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_every_tensor_comes_back(
    small_table: Path, job_dict: Any, tmp_path: Path, optimizer: str
) -> None:
    job, rows = job_and_rows(
        small_table, job_dict, optimizer=optimizer, ema=0.9, weighting="uncertainty"
    )
    first, again = begin(job, rows), begin(job, rows)
    batches = [Batch.of(rows.batch(np.arange(i, i + 16))) for i in range(0, 80, 16)]
    assert train(first, job, batches) == 5
    best = {"x": torch.arange(3.0)}
    save_state(tmp_path / "last.safetensors", first, best, {"epoch": 2})
    tensors, notes = read_state(tmp_path / "last.safetensors")
    assert notes == {"epoch": 2, "step": 5, "steps": 20}
    assert torch.equal(load_state(tensors, notes, again)["x"], best["x"])
    assert again.step == 5
    for a, b in ((first.model, again.model), (first.module, again.module)):
        for name, t in a.state_dict().items():
            assert torch.equal(t, b.state_dict()[name]), name
    assert first.average.keys() == again.average.keys()
    assert all(torch.equal(t, again.average[n]) for n, t in first.average.items())
    moments = [s.optimizer.state_dict()["state"] for s in (first, again)]
    assert moments[0].keys() == moments[1].keys() != set()
    for key, values in moments[0].items():
        for name, t in values.items():
            assert torch.equal(t, moments[1][key][name]), (key, name)
    # Both go on with the very same numbers.
    for state in (first, again):
        train(state, job, batches[:2])
    for (name, p), q in zip(first.model.named_parameters(), again.model.parameters(), strict=True):
        assert torch.equal(p, q), name


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_averages_and_moments_lie_where_their_parameter_lies(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job, rows = job_and_rows(small_table, job_dict, optimizer="sgd", ema=0.9)
    state = begin(job, rows)
    train(state, job, [Batch.of(rows.batch(np.arange(16)))])
    save_state(tmp_path / "last.safetensors", state, {}, {})
    elsewhere = begin(job, rows, "meta")  # stands for an accelerator
    load_state(*read_state(tmp_path / "last.safetensors"), elsewhere)
    moments = [v for s in elsewhere.optimizer.state.values() for v in s.values()]
    assert len(moments) > 20
    assert {t.device.type for t in [*moments, *elsewhere.average.values()]} == {"meta"}
