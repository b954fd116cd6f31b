"""A job without an answer read in, a run out that a training starts from."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from conftest import make_job, write_table
from modalloy.runs.run import load_run

PLAIN = ("load", "site", "taken_at")


def small_job(table: Path, *columns: str, steps: int = 6, **asked: Any) -> dict[str, Any]:
    """A job over some columns that pretrains for a few steps."""
    job = make_job(table, columns=columns or PLAIN)
    job["pretrain"] = {"epochs": 2, "steps": steps, "judged": 0.2} | asked
    return job


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(t, b[n]) for n, t in a.items())


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small table and a run that was pretrained on it."""
    folder = tmp_path_factory.mktemp("pretrained")
    table = write_table(folder)
    ma.pretrain(small_job(table, "load", "site", "vibration"), out=folder / "pre", quiet=True)
    return folder


def test_a_pretrained_run_starts_a_training_and_answers_nothing_itself(
    pretrained: Path, no_lines: None
) -> None:
    pre, table = pretrained / "pre", pretrained / "parts.parquet"
    with pytest.raises(ma.RunError, match="pretrained without labels and answers nothing"):
        ma.predict(pre, table)
    with pytest.raises(ma.RunError, match="train from it"):
        ma.evaluate(pre)
    assert (pre / "pretrain.html").is_file()
    assert "vibration" in (pre / "pretrain.html").read_text()
    job = small_job(table, "load", "site", "vibration")
    job["train"] |= {"start": str(pre), "epochs": 1}
    run = ma.train(job, out=pretrained / "run", quiet=True)
    assert set(run.notes["start"]["kept"]) == {
        f"column '{c}'" for c in ("load", "site", "vibration")
    }
    assert run.notes["start"]["unlike"] == []
    assert run.parent is not None
    assert run.parent.sha256 == load_run(pre, pretrained=True).identity


def test_each_option_changes_what_is_learned(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    more = pd.read_parquet(table).drop(columns=["site", "fault_code", "hours_left", "machine"])
    more.to_parquet(tmp_path / "more.parquet")

    def learned(name: str, **asked: Any) -> tuple[int, dict[str, torch.Tensor], Any]:
        job = small_job(table, "load", "site", **asked)
        run = ma.pretrain(job, out=tmp_path / name, quiet=True)
        return run.notes["epochs"], weights(run.path), run.notes

    epochs, usual, notes = learned("usual")
    assert epochs == 2
    assert notes["pretrained"]["rows"] == 40
    assert learned("epochs", epochs=3)[0] == 3
    assert learned("auto", epochs="auto", steps=15)[0] == 5
    assert learned("more steps", epochs="auto", steps=30)[0] == 10
    judged = learned("judged", judged=0.0)
    assert (judged[2]["pretrained"]["rows"], judged[2]["pretrained"]["judged"]) == (50, 0)
    assert not same(judged[1], usual)
    unlabelled = learned("unlabelled", unlabelled=str(tmp_path / "more.parquet"))[2]
    assert unlabelled["pretrained"]["tables"] == [50, 80]
    assert unlabelled["pretrained"]["rows"] == 104
    assert ["lacks site: missing cells" in f["what"] for f in unlabelled["findings"]] == [True]
    weight = learned("weight", masked={"weight": 0.5})
    assert weight[2]["curves"][-1]["score"] != notes["curves"][-1]["score"]
    with pytest.raises(ma.JobError, match="no method is left to learn by"):
        learned("none", masked={"weight": 0.0})


def test_minutes_and_patience_end_it(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", epochs=60, minutes=0.03)
    run = ma.pretrain(job, out=tmp_path / "minutes", quiet=True)
    assert run.notes["seconds"]["training"] < 60
    job = small_job(table, "load", epochs=400, patience=1)
    job["train"]["lr"] = 1.0
    assert ma.pretrain(job, out=tmp_path / "patience", quiet=True).notes["epochs"] < 100
