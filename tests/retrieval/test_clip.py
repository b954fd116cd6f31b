"""A checkpoint of two towers is tuned by the contrast, judged by names, searched and drawn."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import modalloy as ma
from checkpoints import dual
from conftest import make_job, write_table
from modalloy.model.space import Space
from modalloy.model.trunks.huggingface import load_trunk
from modalloy.runs.space import space_of


@pytest.mark.parametrize(("family", "tune"), [("clip", "full"), ("siglip", "last_n")])
def test_it_is_tuned_judged_and_searched(tmp_path: Path, family: str, tune: str) -> None:
    table, place = write_table(tmp_path), dual(tmp_path / family, family)
    job = make_job(table, columns=(), train={"batch": 32, "precision": "float32"})
    tower = {"encoder": place, "tune": tune} | ({"last_n": 1} if tune == "last_n" else {})
    job["columns"] = {
        "photo": {"type": "image", "pixels": 16, "augment": "none", **tower},
        "note": {"type": "text", "max_tokens": 24, **tower},
    }
    loss = "sigmoid" if family == "siglip" else "infonce"
    job["pretrain"] = {"masked": {"weight": 0}, "epochs": 2, "patience": 0}
    job["pretrain"]["contrast"] = {"row": False, "loss": loss}
    job["pretrain"]["autoregress"] = {"width": 16, "layers": 1, "components": 2}
    run = ma.pretrain(job, out=tmp_path / "run", quiet=True)
    before = load_trunk("text", place).module.state_dict()
    shutil.rmtree(tmp_path / family)  # the run holds all that it needs
    after = run.body().encoder("note").trunk.state_dict()
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[n], after[n]) for n in before)
    space = space_of(run)
    assert isinstance(space, Space)
    assert space.heads["note"].plan.own
    assert set(run.notes["pretrained"]["before"]["contrast"]) == {"photo~note"}
    report = ma.evaluate(run, quiet=True)
    assert (run.path / "report.html").is_file()
    own = report.zero_shot["fault"]
    assert own["names"] == ["crack", "ok"]
    assert 0 <= own["columns"]["photo"]["accuracy"] <= 1
    found = ma.search(tmp_path / "run", text="crack near the weld", against="photo", quiet=True)
    assert len(found) == 10
    assert np.isfinite([hit.score for hit in found]).all()
    drawn = ma.draw(tmp_path / "run", rows=1, each=1)
    assert drawn.samples[0][0].shape == (1, 16, 16)
