"""Columns and tasks may have any name."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

import modalloy as ma
from modalloy.model.layers.named import Named

NAMES = ["type", "train", "keys", "a.b", "100 %", "a%2Eb", "größe"]


def test_any_name_finds_its_module() -> None:
    modules = {name: nn.Linear(1, i + 1) for i, name in enumerate(NAMES)}
    named = Named(modules)
    assert named.keys() == NAMES
    assert list(named) == NAMES
    assert len(named) == len(NAMES)
    for name, module in modules.items():
        assert name in named
        assert named[name] is module
    assert "other" not in named
    assert dict(named.items()) == modules
    assert len(named.state_dict()) == 2 * len(NAMES)


def test_odd_names_train_and_load_again(small_table: Path, job_dict: Any, tmp_path: Path) -> None:
    frame = pd.read_parquet(small_table).rename(columns={"note": "train", "load": "a.b"})
    frame.to_parquet(small_table, index=False)
    job = job_dict(small_table, columns=("site",), train={"epochs": 1})
    job["columns"] |= {"train": {"type": "text", "max_tokens": 8}, "a.b": {"type": "number"}}
    job["tasks"] = {"type": job["tasks"]["fault"], "x.y": job["tasks"]["life"]}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    a = run.model().state_dict()
    b = ma.load_run(run.path).model().state_dict()
    assert all(torch.equal(a[n], b[n]) for n in a)
    said = ma.predict(run, small_table, rows=slice(0, 3), quiet=True)
    assert {"type", "x.y"} <= set(said.columns)
