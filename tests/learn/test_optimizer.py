"""Tables change row by row as AdamW would change them, and gradients are shortened together."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.optimizer import RowAdamW, build_optimizer, clip, trained
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


class Words(nn.Module):
    """A table of vectors and a layer behind it."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(rows, 4), nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.layer(self.table(ids)).square().sum()


def groups(model: nn.Module) -> list[dict[str, object]]:
    return [{"params": list(model.parameters()), "lr": 0.01, "weight_decay": 0.1}]


def pair(rows: int) -> tuple[Words, Words, RowAdamW, torch.optim.AdamW]:
    torch.manual_seed(0)
    ours = Words(rows)
    theirs = copy.deepcopy(ours)
    return (
        ours,
        theirs,
        RowAdamW(groups(ours), [ours.table]),
        torch.optim.AdamW(groups(theirs)),
    )


def test_where_every_row_is_touched_it_is_adamw() -> None:
    ours, theirs, a, b = pair(6)
    for step in range(20):
        ids = torch.cat([torch.arange(6), torch.tensor([step % 6, 2])])  # some rows twice
        for model, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            model(ids).backward()
        assert ours.table.weight.grad.is_sparse
        for model in (ours, theirs):
            clip(model.parameters(), 0.5)
        a.step()
        b.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_untouched_rows_keep_their_vectors_and_moments() -> None:
    model, _, optimizer, _ = pair(5)
    model(torch.arange(5)).backward()
    optimizer.step()
    before = model.table.weight.detach().clone()
    moments = {k: v.clone() for k, v in optimizer.state[model.table.weight].items()}
    optimizer.zero_grad()
    model(torch.tensor([3, 3, 1])).backward()
    optimizer.step()
    changed = (model.table.weight != before).any(1)
    assert changed.tolist() == [False, True, False, True, False]
    for key in ("exp_avg", "exp_avg_sq"):
        apart = (optimizer.state[model.table.weight][key] != moments[key]).any(1)
        assert apart.tolist() == [False, True, False, True, False]


def test_a_dense_gradient_of_a_table_does_the_same() -> None:
    models = [pair(5)[0] for _ in range(2)]
    for model, dense in zip(models, (False, True), strict=True):
        optimizer = RowAdamW(groups(model), [model.table])
        model(torch.tensor([0, 4])).backward()
        if dense:
            model.table.weight.grad = model.table.weight.grad.to_dense()
        optimizer.step()
    for p, q in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(p, q)


def test_gradients_are_shortened_together() -> None:
    ours, theirs, a, _ = pair(5)
    for model in (ours, theirs):
        (100 * model(torch.tensor([1, 1, 2]))).backward()
    assert len(a.tables) == 1
    nn.utils.clip_grad_norm_(theirs.parameters(), 0.3)
    clip(ours.parameters(), 0.3)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        gradient = p.grad.to_dense() if p.grad.is_sparse else p.grad
        assert torch.allclose(gradient, q.grad, atol=1e-6)
    short = [p.grad.clone() for p in theirs.parameters()]
    clip(theirs.parameters(), 10.0)  # already short enough
    for p, g in zip(theirs.parameters(), short, strict=True):
        assert torch.equal(p.grad, g)


@pytest.mark.parametrize("fuse", ["concat", "gated", "attention", "multilinear", "tabm"])
def test_matrices_decay_and_biases_and_norms_never(
    small_table: Path, job_dict: Any, fuse: str
) -> None:
    columns = ("photo", "vibration", "note", "load", "site", "taken_at")
    train = {"weight_decay": 0.25, "weighting": "uncertainty"}
    job = load_job(
        job_dict(small_table, columns=columns, train=train, fuse={"type": fuse, "width": 16})
    )
    table = open_table(job.table)
    rows = open_loader(job, table, split_job(table, job))
    model, weighting = Model(job, rows.readers, rows.targets, pretrained=False), Weighting(job)
    groups = build_optimizer(model, weighting, job.train).param_groups
    decay = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    named = trained(model)
    assert len(decay) == len(named) + 1
    assert decay[id(weighting.log_variance_N)] == 0.0
    norms = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d)
    held = {id(p) for m in model.modules() if isinstance(m, norms) for p in m.parameters()}
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Embedding)
    heavy = {id(m.weight) for m in model.modules() if isinstance(m, layers)}
    kinds = {name.split(".")[-1] for name, _ in named}
    assert {"weight", "bias", "bias_KC", "bias_Nd", "weight_KDC"} <= kinds
    for name, p in named:
        if "bias" in name.split(".")[-1] or id(p) in held:
            assert decay[id(p)] == 0.0, name
        if id(p) in heavy or name.endswith(("weight_KDC", "weight_NFd")):
            assert decay[id(p)] == 0.25, name
