"""What travels: what learns; of adapters one factor, whose mean is exact."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asked_directly import Direct
from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change, mean
from modalloy.federation.travelling import hold_factors, take_weights, travelling, weights_of
from modalloy.job import config
from modalloy.model.adapters.attach import attach, merge
from modalloy.model.model import Model
from plants import job_of, plants_of, rows_of


def model_of(tmp_path: Path) -> Model:
    from modalloy.federation.server import Federation

    job = job_of(rounds=1)
    frames = {"A": rows_of(80, 1), "B": rows_of(80, 2)}
    made = Federation(job, Direct(plants_of(tmp_path, frames, job)), tmp_path / "server")
    made.begin()
    assert made.model is not None
    return made.model


def plain_weights(model: Model, arrays: dict[str, np.ndarray], method: str) -> dict:
    """Weights of the whole model once these are folded in."""
    take_weights(model, arrays)
    merge(model)
    found = {n: t.clone() for n, t in model.state_dict().items()}
    return found


@pytest.mark.parametrize("method", ["lora", "rslora", "pissa", "ia3", "vera", "layernorm"])
def test_the_mean_of_adapters_is_the_mean_of_weights(method: str, tmp_path: Path) -> None:
    options = config.Adapter.model_validate({"method": method, "rank": 4})
    folded, sent, names = [], [], []
    for seed in (1, 2):
        torch.manual_seed(0)
        model = model_of(tmp_path / str(seed))
        attach(model, options)
        hold_factors(model)
        names = [n for n in travelling(model) if not n.startswith("tasks")]
        draw = np.random.default_rng(seed)
        own = {n: x + draw.normal(0, 0.1, x.shape) for n, x in weights_of(model, names).items()}
        own = {n: x.astype(np.float32) for n, x in own.items()}
        sent.append(Change(str(seed), own, 100.0 * seed))
        folded.append(plain_weights(model, own, method))
    torch.manual_seed(0)
    model = model_of(tmp_path / "mean")
    attach(model, options)
    hold_factors(model)
    together = plain_weights(model, mean(sent), method)
    moved = 0
    for name, x in together.items():
        if not x.is_floating_point():
            continue
        oracle = (folded[0][name] + 2 * folded[1][name]) / 3
        torch.testing.assert_close(x, oracle, atol=1e-5, rtol=1e-4)
        moved += not torch.equal(folded[0][name], folded[1][name])
    assert moved
    assert names


@pytest.mark.parametrize("method", ["dora", "adalora"])
def test_methods_whose_mean_is_wrong_are_refused(method: str, tmp_path: Path) -> None:
    model = model_of(tmp_path)
    attach(model, config.Adapter.model_validate({"method": method, "rank": 2}))
    with pytest.raises(FederationError, match=f"several sites' {method} parts is not the mean"):
        hold_factors(model)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    name = travelling(model)[0]
    with pytest.raises(FederationError, match="do not fit this site's model"):
        take_weights(model, {name: np.zeros((1, 1, 1), np.float32)})
