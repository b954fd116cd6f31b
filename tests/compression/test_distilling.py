"""A pruned model learns to answer as it did, from rows without answers."""

from pathlib import Path

import pytest
import torch

from compressible import LONG, decisions, learned
from modalloy.compression.distilling import changed_inputs, distil_into
from modalloy.compression.lever import Rows
from modalloy.compression.pruning import prune
from modalloy.errors import JobError
from modalloy.job import config

QUICK = config.Train(lr=3e-3, encoder_lr=3e-3, ema=0.9, weight_decay=0.0)


def test_agreement_comes_back(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path, steps=LONG)
    truth = decisions(model, held)
    smaller, pruned = prune(model, Rows(learn), 0.25, by="magnitude", refit=False)
    before = (decisions(smaller, held) == truth).double().mean().item()
    for batch in learn:
        batch.targets.clear()
    taught, record = distil_into(smaller, model, Rows(learn, held), steps=200, settings=QUICK)
    after = (decisions(taught, held) == truth).double().mean().item()
    assert before < 0.8
    assert after > 0.9
    assert record["taken"]
    assert record["apart"]["after"] < 0.3 * record["apart"]["before"]
    assert [r["lever"] for r in taught.compressed] == ["prune", "distil"]
    assert taught.compressed[0] == pruned
    assert (decisions(smaller, held) == truth).double().mean().item() == before  # as it was given


def test_frozen_trunks_learn_and_freeze_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.model.encoders.text import MINILM

    monkeypatch.setitem(MINILM, "num_hidden_layers", 1)
    column = {"type": "text", "encoder": "minilm", "tune": "frozen", "max_tokens": 12}
    model, learn, _ = learned(
        tmp_path, steps=2, rows=60, columns={"note": column, "load": {"type": "number"}}
    )
    options = {"by": "magnitude", "refit": False}
    smaller, record = prune(model, Rows(learn), 0.5, inputs=["note"], **options)
    assert changed_inputs(smaller) == record["inputs"] == ["note"]
    frozen = {n for n, p in smaller.named_parameters() if not p.requires_grad}
    slow = QUICK.model_copy(update={"lr": 2e-4, "encoder_lr": 2e-4, "ema": 0.0})
    taught, record = distil_into(smaller, model, Rows(learn), steps=10, settings=slow)
    assert record["taken"]
    for name in ("scale.mean_F", "scale.seen"):
        here = taught.encoder("note").get_buffer(name)
        assert torch.equal(here, model.encoder("note").get_buffer(name))
    assert {n for n, p in taught.named_parameters() if not p.requires_grad} == frozen
    assert not taught.encoder("note").opened
    layer = "encoders.in_note.trunk.encoder.layer.0.output.dense.weight"
    assert not torch.equal(taught.state_dict()[layer], smaller.state_dict()[layer])
    same = [n for n in taught.state_dict() if n.startswith("encoders.") and "in_note" not in n]
    assert same
    for name in same:
        assert torch.equal(taught.state_dict()[name], smaller.state_dict()[name])


def test_what_makes_it_worse_is_not_taken(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path, steps=20)
    wild = QUICK.model_copy(update={"lr": 3.0, "encoder_lr": 3.0, "ema": 0.0})
    same, record = distil_into(model, model, Rows(learn, held), steps=3, settings=wild)
    assert not record["taken"]
    assert record["apart"]["after"] > record["apart"]["before"] >= 0.0
    for name, weight in same.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])
    with pytest.raises(JobError, match="the model has no input 'photo'"):
        distil_into(model, model, Rows(learn), inputs=["photo"])
