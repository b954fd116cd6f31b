"""`tune: lora` and its kin in the ordinary training: begun, driven, gone on with, and merged."""

from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoints import read_by
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn import train
from modalloy.learn.adapting import attach_here
from modalloy.learn.optimizer import build_optimizer
from modalloy.learn.progress import fingerprint
from modalloy.learn.training import Learned, learn_job
from modalloy.model.adapters.attach import attach, detach
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from untrained import untrained

TRAIN = {"epochs": 2, "batch": 16, "precision": "float32", "lr": 1e-2}


def text_job(table: Path, folder: Path, job_dict: Any, **note: Any) -> dict[str, Any]:
    """One text column under a tiny pretrained encoder."""
    made = job_dict(table, columns=(), train=dict(TRAIN))
    own = read_by(folder, "full")["note"] | note
    return made | {"columns": {"note": own}, "tasks": {"fault": made["tasks"]["fault"]}}


def learned(job: dict[str, Any], out: Path, **options: Any) -> Learned:
    """Trained, without a report."""
    loaded = load_job(job)
    table = open_table(loaded.table)
    return learn_job(loaded, table, split_job(table, loaded), out=out, quiet=True, **options)


def interrupted(
    job: dict[str, Any], out: Path, stop: int, patch: pytest.MonkeyPatch, **options: Any
) -> Learned:
    """The same, ended by Ctrl-C after some steps."""
    count, steps = train.count, iter(range(1, 1000))

    def stopped(*given: Any) -> str:
        if next(steps) == stop:
            raise KeyboardInterrupt
        return count(*given)

    with patch.context() as patched:
        patched.setattr(train, "count", stopped)
        cut = learned(job, out, **options)
    assert cut.interrupted
    return cut


def same(a: Learned, b: Learned) -> bool:
    one, other = a.model.state_dict(), b.model.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def rank_of(change_OI: torch.Tensor) -> int:
    """Directions of a change that are more than rounding."""
    size_R = torch.linalg.svdvals(change_OI)
    return int((size_R > 1e-3 * size_R[0]).sum())


@pytest.mark.parametrize("tune", ["adalora", "pissa"])
def test_a_training_goes_on_bit_for_bit_and_ends_plain(
    tune: str, small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = text_job(small_table, tmp_path, job_dict, tune=tune, adapter={"rank": 2})
    job["train"] |= {"patience": 0, "epochs": 4}
    whole = learned(job, tmp_path / "whole")
    names = whole.model.state_dict()
    assert not any("base_layer" in n or "lora" in n or n.startswith("allocation") for n in names)
    assert whole.adapted is not None
    # Queries and values of two layers: AdaLoRA began with three directions each, and must end
    # with two on average.
    assert whole.adapted["columns"]["note"]["rank"] == 2 * 4
    assert len(whole.adapted["layers"]) == 4
    assert "late" not in whole.adapted
    interrupted(job, tmp_path / "cut", 15, monkeypatch)
    assert same(learned(job, tmp_path / "cut", resume=True), whole)


def test_an_encoder_and_a_fusion_of_an_earlier_run_are_adapted_by_tune(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = dict(TRAIN) | {"patience": 0, "ema": 0.0}
    job = job_dict(small_table, columns=("note", "load"), train=train)
    start = untrained(tmp_path / "start", small_table, job=load_job(job))
    before = start.model().state_dict()
    job["columns"]["note"] |= {"tune": "lora", "adapter": {"rank": 3}}
    job["fuse"] |= {"tune": "rslora", "adapter": {"rank": 2}}
    job["train"]["start"] = str(tmp_path / "start")
    found = learned(job, tmp_path / "run")
    after = found.model.state_dict()
    assert after.keys() == before.keys()
    ranks = {}
    for name in before:
        if name.endswith("weight") and before[name].ndim == 2:
            ranks[name] = rank_of(after[name] - before[name])
    network = {n: r for n, r in ranks.items() if n.startswith("encoders.in_note.scratch")}
    assert {r for n, r in network.items() if "query" in n or "value" in n} == {3}
    assert {r for n, r in network.items() if "query" not in n and "value" not in n} == {0}
    assert {r for n, r in ranks.items() if n.startswith("fusion")} == {2}
    assert ranks["encoders.in_table.inward.weight"] > 2  # learns as ever
    assert found.adapted is not None
    assert found.adapted["columns"]["note"]["rank"] == 12
    interrupted(job, tmp_path / "cut", 3, monkeypatch)
    assert same(learned(job, tmp_path / "cut", resume=True), found)


def test_what_stands_beside_layers_learns_at_the_rate_of_new_parts(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, tune="full")
    run = untrained(tmp_path / "run", small_table, job=load_job(job))
    model = run.model()
    settings = config.Train(lr=1e-2, encoder_lr=1e-4)
    rates: dict[str, set[tuple[float, bool]]] = {}
    for method in ("lora", "pissa", "ia3", "full"):
        attach(model, config.Adapter(method=method), columns=["note"])
        optimizer = build_optimizer(model, None, settings)
        trunk = {id(p) for n, p in model.named_parameters() if ".trunk." in n}
        rates[method] = {
            (group["top_lr"], group["weight_decay"] > 0)
            for group in optimizer.param_groups
            if any(id(p) in trunk for p in group["params"])
        }
        detach(model)
    assert rates["lora"] == {(1e-2, True)}
    assert rates["pissa"] == {(1e-4, True)}
    assert rates["ia3"] == {(1e-2, False)}  # pulled to zero, a scale would silence its layer
    assert rates["full"] == {(1e-4, True), (1e-4, False)}


def test_what_a_frozen_encoder_said_is_forgotten_where_it_is_adapted(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = text_job(small_table, tmp_path, job_dict, tune="frozen")
    job["train"]["epochs"] = 1
    found = learned(job, tmp_path / "run")
    model, loader = found.model, found.loader
    assert "note" in loader.features
    attach_here(model, loader, found.parts.train, config.Adapter(rank=2))
    assert "note" not in loader.features
    encoder = model.encoders["note"]
    assert encoder.frozen
    assert not encoder.still
    plan = train.supervised_plan(model, loader, found.parts.validation)
    batch = train.Batch.of(loader.batch(found.parts.train[:8]))
    plan.objective(model.train(), batch)["fault"].backward()
    reached = [p for p in encoder.network.parameters() if p.grad is not None]
    assert reached
    assert any(p.grad.abs().sum() > 0 for p in reached if p.grad is not None)


def test_checkpoints_of_older_versions_still_know_their_job() -> None:
    columns = {"note": {"type": "text", "encoder": "minilm"}, "load": {"type": "number"}}
    job = {
        "table": "t.csv",
        "split": {"by": "m"},
        "columns": columns,
        "tasks": {"y": {"type": "regress", "target": "y"}},
    }
    older = "90bce0a1b15c27842c3a163ec674505f099ef74fe434c3d1ba4a4b9901a136ba"
    assert fingerprint(config.Job.model_validate(job)) == older
    job["columns"] = {**columns, "note": {**columns["note"], "tune": "lora"}}
    assert fingerprint(config.Job.model_validate(job)) != older
    counts = {"type": "regress", "target": "y", "distribution": "empirical"}
    told = job | {"columns": columns, "tasks": {"y": counts}}
    assert fingerprint(config.Job.model_validate(told)) != older
