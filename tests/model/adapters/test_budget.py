"""A budget in kilobytes goes to the layers and columns that need it, and the file keeps it."""


import numpy as np
import pandas as pd
import pytest
import torch

from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.adapting import attach_here
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.train import train_model
from modalloy.model.adapters.attach import detach
from modalloy.model.adapters.file import adapter_to_bytes
from modalloy.model.adapters.ranks import told_ranks
from modalloy.model.model import Model
from modalloy.table.split import split_job
from modalloy.table.table import open_table

ROWS = 192


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A model of two columns of vectors, of which one alone tells the class, in a curve that the
    little it was trained for has not found; its rows, and its loader."""
    folder = tmp_path_factory.mktemp("budget")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, 6))
    y = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")
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
            "fuse": {"width": 16, "layers": 1, "auxiliary": 0.0, "modality_dropout": 0.0},
            "tasks": {"y": {"type": "classify", "target": "y"}},
            "train": {"epochs": 6, "batch": 48, "precision": "float32", "folds": 0},
        }
    )
    table = open_table(job.table)
    parts = split_job(table, job)
    loader = open_loader(job, table, parts)
    torch.manual_seed(0)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    train_model(model, loader, parts, job, folder, quiet=True)
    return model.eval(), loader, parts, folder


def test_a_column_that_carries_all_the_signal_gets_nearly_all_the_rank(trained) -> None:
    model, loader, parts, _ = trained
    options = config.Adapter(budget_kb=6.0, layers="all")
    attach_here(model, loader, parts.train, options, columns=("tells", "noise"))
    ranks = told_ranks(model)["columns"]
    size = len(adapter_to_bytes(model, base="0" * 64, name="line3"))
    detach(model)
    assert ranks["tells"]["rank"] >= 4 * ranks["noise"]["rank"]
    assert ranks["tells"]["asked"] > 4 * ranks["noise"]["asked"]
    assert size <= 6000
    assert list(ranks)[0] == "tells"
