"""Random convolutions are fitted on training rows alone, before any step, and alike every time."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from modalloy.job.job_file import load_job
from modalloy.judge.before import begun
from modalloy.learn.training import Begun, begin_job
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


def begin(folder: Path, test_level: float) -> Begun:
    rng = np.random.default_rng(0)
    wave = rng.normal(size=(14, 24)).cumsum(1)
    wave[10:] *= test_level
    frame = pd.DataFrame({"wave": list(wave), "part": ["train"] * 8 + ["val"] * 2 + ["test"] * 4})
    frame["label"] = ["up", "down"] * 7
    frame.to_parquet(folder / "t.parquet")
    job = load_job(
        {
            "table": str(folder / "t.parquet"),
            "split": {"column": "part"},
            "columns": {"wave": {"type": "series", "front": ["minirocket", "hydra"]}},
            "fuse": {"type": "concat", "width": 8},
            "tasks": {"label": {"type": "classify", "target": "label"}},
        }
    )
    table = open_table(job.table)
    return begin_job(job, table, split_job(table, job), out=folder, quiet=True)


def test_test_rows_choose_nothing_and_kept_features_are_those_of_the_fit(tmp_path: Path) -> None:
    one = begin(tmp_path, 1.0)
    encoder, again = one.model.encoders["wave"], begin(tmp_path, 9.0).model.encoders["wave"]
    for name, fitted in encoder.trunk.state_dict().items():
        assert torch.equal(fitted, again.trunk.state_dict()[name]), name
    assert encoder.trunk["minirocket"].front.bias_KF.std() > 0
    assert one.loader.readers["wave"].longest == 24
    arrays = one.loader.features["wave"].get(int(one.parts.test[0]))
    assert arrays["fronts"].shape == (2 * (7 + 2),)  # 7 components of 8 training rows, two facts
    assert np.abs(arrays["fronts"][:7]).max() > 0.01


def test_the_model_as_it_was_before_training_has_the_same_fronts(tmp_path: Path) -> None:
    one = begin(tmp_path, 1.0)
    first = begun(one.model, one.loader).encoders["wave"]
    for name, fitted in one.model.encoders["wave"].trunk.state_dict().items():
        assert torch.equal(fitted, first.trunk.state_dict()[name]), name
