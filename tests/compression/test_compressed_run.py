"""A run whose model was compressed is saved, loaded and made on from like any other."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import modalloy as ma
from modalloy.answer.loader import Loader
from modalloy.compression.lever import Rows
from modalloy.compression.low_rank import factorise
from modalloy.compression.pruning import prune
from modalloy.compression.token_merging import merge_tokens
from modalloy.errors import RunError
from modalloy.model.tokens import Batch
from modalloy.runs.saving import derive_run
from modalloy.table.open_table import open_table
from untrained import untrained


def test_it_is_built_again(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table, columns=("note", "load", "photo"))
    assert "compressed" not in json.loads((run.path / "schema.json").read_text())
    model = run.model()
    loader = Loader(open_table(small_table), run.job, run.readers, run.targets)
    rows = Rows([Batch.of(loader.batch(np.arange(24)))])
    for name in ("small", "child", "whole"):
        (tmp_path / name).mkdir()
    smaller = prune(model, rows, 0.5).model
    smaller = factorise(smaller, rows, 0.9).model
    smaller, _ = merge_tokens(smaller, rows, 0.6)
    given = {"job": run.job, "notes": run.notes, "stages": run.stages, "parts": {}}
    derive_run(run, tmp_path / "small", "compress", model=smaller, **given)
    loaded = ma.load_run(tmp_path / "small")
    assert [r["lever"] for r in loaded.compressed] == ["prune", "low_rank", "merge_tokens"]
    again = loaded.model()
    assert again.compressed == smaller.compressed
    weights = smaller.state_dict()
    assert all(torch.equal(t, weights[n]) for n, t in again.state_dict().items())
    with torch.no_grad():
        for name, out in again(rows.learn[0]).tasks.items():
            for key, found in smaller(rows.learn[0]).tasks[name].items():
                torch.testing.assert_close(out[key], found, atol=1e-6, rtol=0)
    size = [(r.path / "model.safetensors").stat().st_size for r in (loaded, run)]
    assert size[0] < 0.8 * size[1]
    child = derive_run(loaded, tmp_path / "child", "calibrate", **given)  # no new weights
    assert ma.load_run(child.path).compressed == loaded.compressed
    assert len(ma.predict(child.path, small_table)) == 80
    whole = derive_run(loaded, tmp_path / "whole", "adapt", model=model, **given)
    assert ma.load_run(whole.path).compressed == []


def test_a_record_that_does_not_fit(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table, columns=("note",))
    model = run.model()
    (tmp_path / "other").mkdir()
    model.compressed = [{"lever": "prune", "units": {"encoders.in_photo.out": 3}}]
    given = {"job": run.job, "notes": run.notes, "stages": run.stages, "parts": {}}
    derive_run(run, tmp_path / "other", "compress", model=model, **given)
    with pytest.raises(RunError, match="its job's model has not the layers for it"):
        ma.load_run(tmp_path / "other").model()
