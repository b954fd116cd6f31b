"""Pretraining in two processes ends where it ends in one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_processes import assert_near, launch, weights

from conftest import make_job, write_table
from modalloy.runs.run import load_run

# Each process draws chance for its own rows: it is switched off where weights are compared.
PRETRAIN = """
import json, sys, torch
torch.set_num_threads(1)
import modalloy.model.encoders.category as category
import modalloy.model.encoders.series as series
import modalloy.model.layers.dropout as dropout
dropout.dropout.__code__ = (lambda x, p, training: x).__code__
torch.nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: x
category.UNKNOWN = series.UNKNOWN = 0.0
from modalloy.objectives.masked import Masked
def draw(self, batch, there):
    even = lambda own: torch.arange(own.shape[1]) % 2 == 0
    return {n: own & even(own) for n, own in there.items()}
Masked.draw = draw
import modalloy as ma
job, out = json.loads(sys.argv[1])
ma.pretrain(job, out=out, quiet=True)
"""


def even_job(table: Path) -> dict[str, Any]:
    """Batches of seven rows, so that shares are never alike; missing cells, batch norms."""
    job = make_job(table, columns=("photo", "vibration", "note", "load", "site"))
    job["columns"]["vibration"] |= {"front": ["statistics", "learned"], "augment": "none"}
    job["train"] = {"batch": 7, "precision": "float32", "optimizer": "sgd", "lr": 0.02}
    job["pretrain"] = {"epochs": 2, "judged": 0.2, "masked": {"summary": 0.0}}
    return job


@pytest.mark.torchrun
def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    job = even_job(write_table(tmp_path))
    script = tmp_path / "pretrain.py"
    script.write_text(PRETRAIN)
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run([sys.executable, str(script), json.dumps([job, str(one)])], check=True)
    launch(2, str(script), json.dumps([job, str(two)]))
    assert_near(weights(one), weights(two))
    notes = [load_run(path, pretrained=True).notes for path in (one, two)]
    assert [n["processes"] for n in notes] == [1, 2]
    for a, b in zip(*(n["curves"] for n in notes), strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)
        assert b["score"] == pytest.approx(a["score"], rel=1e-3)
