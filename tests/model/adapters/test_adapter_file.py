"""An adapter as a file: it answers as what was learned, and only for the run that it is of."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from bare import Bare, bare, learn
from encoder_cases import text
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.model.adapters.attach import BESIDE, attach, merge
from modalloy.model.adapters.file import adapter_to_bytes, take_adapter, told_adapter

BASE, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bare, dict[str, torch.Tensor]]:
    return bare(lambda _: text("scratch"), tmp_path_factory.mktemp("file"), rows=3)


@pytest.mark.parametrize("method", [*BESIDE, "head", "last_n", "full"])
def test_a_file_answers_as_the_model_that_it_is_of(method: str, plain: Any) -> None:
    base, values = plain
    model, again = copy.deepcopy(base), copy.deepcopy(base)
    attach(model, config.Adapter(method=method, last_n=1))
    learn(model, values, steps=2)
    data = adapter_to_bytes(model, base=BASE, name="line3")
    with torch.no_grad():
        learned, before = model(values), base(values)
        take_adapter(again, data, base=BASE)
        attached = again(values)
        merge(again)
        merged = again.eval()(values)
    # Half the bits: about one part in a thousand of each number.
    assert (attached - learned).abs().max() < 2e-3 < (learned - before).abs().max()
    assert (merged - attached).abs().max() <= 1e-5
    told = told_adapter(data)
    assert (told["name"], told["base"], told["options"]["method"]) == ("line3", BASE, method)
    assert told["kb"] == len(data) / 1000


def test_other_runs_and_other_files_are_refused(plain: Any) -> None:
    model = copy.deepcopy(plain[0])
    attach(model, config.Adapter())
    data = adapter_to_bytes(model, base=BASE, name="line3")
    with pytest.raises(RunError, match=r"adapter 'line3' belongs to a run whose .* abababababab"):
        take_adapter(copy.deepcopy(plain[0]), data, base=OTHER)
    for broken in (b"", b"not a file at all", save({"x": torch.zeros(2)}), data[:60]):
        with pytest.raises(RunError, match="no adapter"):
            told_adapter(broken)


def test_rank_8_beside_minilm_takes_at_most_200_kb(tmp_path: Path) -> None:
    model, _ = bare(lambda _: text("minilm", tune="full"), tmp_path, rows=2)
    layers = attach(model, config.Adapter(method="lora", rank=8), columns=["x"])
    assert len(layers) == 12  # queries and values of six layers
    data = adapter_to_bytes(model, base=BASE, name="line3")
    assert 140_000 < len(data) <= 200_000
