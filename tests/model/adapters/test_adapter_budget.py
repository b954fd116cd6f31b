"""A budget in kilobytes goes to the layers and columns that need it, and the file keeps it."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.adapting import attach_here, measured
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.train import train_model
from modalloy.model.adapters.attach import detach
from modalloy.model.adapters.budget import Asked, asks, named, share_out
from modalloy.model.adapters.file import adapter_to_bytes
from modalloy.model.adapters.places import Found
from modalloy.model.adapters.ranks import told_ranks
from modalloy.model.model import Model
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

ROWS = 384


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Loader, Parts]:
    """A model of two columns of vectors, of which one alone tells the class, trained a little; its
    loader and its rows."""
    folder = tmp_path_factory.mktemp("budget")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, 6))
    y = np.where(x[:, 0] + 0.5 * x[:, 1] > 0, "above", "below")
    noise = draw.normal(size=(ROWS, 6))
    part = np.array(["train", "train", "train", "test"])[np.arange(ROWS) % 4]
    pd.DataFrame({"tells": list(x), "noise": list(noise), "y": y, "part": part}).to_parquet(
        folder / "t.parquet"
    )
    job = load_job(
        {
            "table": str(folder / "t.parquet"),
            "split": {"column": "part", "validation": 0.0},
            "columns": {"tells": {"type": "vector"}, "noise": {"type": "vector"}},
            "fuse": {
                "type": "concat",
                "width": 16,
                "layers": 1,
                "auxiliary": 0.0,
                "modality_dropout": 0.0,
            },
            "tasks": {"y": {"type": "classify", "target": "y"}},
            "train": {"epochs": 4, "batch": 48, "precision": "float32", "folds": 0},
        }
    )
    table = open_table(job.table)
    parts = split_job(table, job)
    loader = open_loader(job, table, parts)
    torch.manual_seed(0)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    train_model(model, loader, parts, job, folder, quiet=True)
    return model.eval(), loader, parts


def test_a_column_that_carries_all_the_signal_gets_nearly_all_the_rank(trained: Any) -> None:
    model, loader, parts = trained
    options = config.Adapter(budget_kb=3.0, layers="all")
    attach_here(model, loader, parts.train, options, columns=("tells", "noise"))
    note, size = told_ranks(model), len(adapter_to_bytes(model, base="0" * 64, name="line3"))
    detach(model)
    ranks = note["columns"]
    assert ranks["tells"]["rank"] >= 8
    assert ranks["tells"]["rank"] >= 4 * ranks["noise"]["rank"]
    assert ranks["tells"]["asked"] > 4 * ranks["noise"]["asked"]
    assert next(iter(ranks)) == "tells"
    assert sum(note["layers"].values()) == sum(c["rank"] for c in ranks.values())
    assert size <= 3000


def test_a_budget_is_kept_and_too_small_a_one_is_refused(trained: Any) -> None:
    model, loader, parts = trained
    sizes = []
    for budget_kb in (2.5, 4.0):
        attach_here(model, loader, parts.train, config.Adapter(budget_kb=budget_kb, layers="all"))
        sizes.append(len(adapter_to_bytes(model, base="0" * 64, name="line3")))
        detach(model)
        assert sizes[-1] <= 1000 * budget_kb
    assert sizes[0] < sizes[1]
    with pytest.raises(JobError, match=r"budget_kb: 0.1 is too little: the heads take .* at least"):
        attach_here(model, loader, parts.train, config.Adapter(budget_kb=0.1))
    asked = config.Adapter(method="ia3", budget_kb=50)
    with pytest.raises(JobError, match=r"budget_kb: shares out the ranks of lora"):
        attach_here(model, loader, parts.train, asked)
    assert model.adapted is None


def test_gradients_are_those_of_the_whole_loss_and_the_model_stays_as_it_is(trained: Any) -> None:
    model, loader, parts = trained
    before = {n: t.clone() for n, t in model.state_dict().items()}
    asked = measured(model, loader, parts.train, config.Adapter(layers="all"), columns=("tells",))
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(name.startswith("encoders.in_tells") for name in asked)


def test_a_direction_that_both_halves_ask_for_is_worth_its_square() -> None:
    """The slow way: one planted direction under noise that each half has of its own."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 6)
    up, down = torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    planted = 5.0 * up[:6, None] * down
    halves = [planted + 0.05 * torch.randn(6, 8) for _ in range(2)]
    asked = asks(Found("x", layer, 6), *halves)
    expected = planted.norm() ** 2
    assert abs(asked.worth_R[0] - expected) < 0.1 * expected
    assert asked.worth_R[1] < 0.01 * expected
    assert abs(float(asked.down_RF[0] @ down)) > 0.99
    noise = asks(Found("x", layer, 6), *(torch.randn(6, 8) for _ in range(2)))
    assert (noise.worth_R > 0).sum() <= 3


def test_sharing_out_is_as_good_as_trying_every_way() -> None:
    layers = {n: torch.nn.Linear(4, 4) for n in "ab"}
    worth = {"a": torch.tensor([9.0, 4.0, 0.0]), "b": torch.tensor([5.0, 1.0, 1.0])}
    asked = {n: Asked(Found(n, layers[n], 3), worth[n], 1000, torch.zeros(3, 4)) for n in "ab"}
    for room in (1500, 3000, 3600, 5000, 9000):
        ranks = share_out(asked, room)
        got = sum(float(worth[n][:r].sum()) for n, r in ranks.items())
        best = max(
            float(worth["a"][:a].sum() + worth["b"][:b].sum())
            for a, b in product(range(4), range(4))
            if 1000 * (a + b) + sum(named(n) for n, r in (("a", a), ("b", b)) if r) <= room
        )
        assert got == best, room
