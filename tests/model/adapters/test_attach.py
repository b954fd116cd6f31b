"""Every encoder with every method: the same answers at first, exact once merged, gone once off."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bare import bare, learn
from encoder_cases import text
from modalloy.job import config
from modalloy.model.adapters.attach import attach, detach, merge


def told(model: Any, values: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return model(values)


def test_lora_beside_a_text_encoder(tmp_path: Path) -> None:
    model, values = bare(lambda _: text("scratch"), tmp_path)
    before, weights = told(model, values), copy.deepcopy(model.state_dict())
    layers = attach(model, config.Adapter(method="lora", rank=4))
    assert [n.rpartition(".")[2] for n in layers if n.startswith("encoders")] == [
        "query",
        "value",
    ] * 2
    assert torch.equal(told(model, values), before)
    learn(model, values)
    learned = told(model, values)
    merged = copy.deepcopy(model)
    merge(merged)
    assert merged.state_dict().keys() == weights.keys()
    assert (told(merged, values) - learned).abs().max() <= 1e-5 < (learned - before).abs().max()
    detach(model)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, weights[name]) or name.startswith("tasks")
