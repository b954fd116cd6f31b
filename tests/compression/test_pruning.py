"""Units that are taken out answer as units that are silent; what is left is fitted, saved, read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressible import CASES, alone, chances, classes, decisions, learned, told
from encoder_cases import image, series, text
from modalloy.compression.lever import Rows
from modalloy.compression.opened import contributions, reading
from modalloy.compression.pruning import least_squares, magnitude, prune
from modalloy.errors import JobError, RunError
from modalloy.model.compressed.rebuild import rebuild
from modalloy.model.compressed.units import units_of
from modalloy.model.encoders.text import MINILM
from modalloy.model.trunks.whisper import TINY_EN

NONE = ("vector",)  # a linear map
ALIKE = (
    "image large", "image all views", "tokens scratch", "text hf xlm-roberta", "series all",
    "audio whisper frozen",
)  # fmt: skip
WALKED = {n: case for n, case in CASES.items() if n not in (*NONE, *ALIKE)} | {
    "image lite": lambda _: image("efficientnet_lite0", 64, pretrained=True),
    "series learned": lambda _: series(front=("learned", "statistics")),
}


@pytest.fixture(autouse=True)
def _few_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MINILM, "num_hidden_layers", 1)
    monkeypatch.setitem(TINY_EN, "encoder_layers", 1)


def silenced(model: Any, batch: Any, gone: dict[str, tuple[Any, list[int]]]) -> Tensor:
    """What a whole model answers while some of its units say nothing: the slow, obvious way."""

    def quiet(x: Tensor, units: Any, lost: list[int]) -> Tensor:
        x = x.clone()
        for unit in lost:
            at = slice(unit * units.size, (unit + 1) * units.size)
            if units.channels:
                x[:, at] = 0.0
            else:
                x[..., at] = 0.0
        return x

    with reading(model, {u.seen: lambda x, u=u, g=g: quiet(x, u, g) for u, g in gone.values()}):
        return told(model, batch)


@pytest.mark.parametrize("case", WALKED)
def test_taken_out_is_as_silent(case: str, tmp_path: Path) -> None:
    model, batch = alone(WALKED[case], tmp_path)
    units = {u.reader: u for u in units_of(model)}
    assert units, "nothing was found to prune"
    scores: dict[str, Tensor] = {u.reader: magnitude(model, u) for u in units.values()}
    smaller, record = prune(model, Rows([batch]), 0.5, by="magnitude", refit=False)
    gone = {}
    for reader, left in record["units"].items():
        u = units[reader]
        order = scores[reader].argsort(descending=True, stable=True).tolist()
        gone[reader] = u, sorted(order[left:])
        layer = smaller.get_submodule(reader).get_parameter("weight")
        assert layer.shape[1] == left * u.size
    torch.testing.assert_close(
        told(smaller, batch), silenced(model, batch, gone), atol=1e-5, rtol=1e-4
    )
    assert record["parameters"]["after"] < record["parameters"]["before"]
    again, _ = alone(WALKED[case], tmp_path)
    rebuild(again, [record])
    again.load_state_dict(smaller.state_dict())
    torch.testing.assert_close(told(again.eval(), batch), told(smaller, batch), atol=1e-6, rtol=0)


def test_importance_is_what_the_loss_changes_by(tmp_path: Path) -> None:
    """To the first order: beside differences of the loss when a unit's output shrinks a little."""
    model, batch = alone(lambda _: text("scratch"), tmp_path)
    units = [u for u in units_of(model) if ".0." in u.reader][:2]
    for u in units:
        found = contributions(model, [batch], {u.seen: u.channels}, classes)[u.seen]
        assert found.shape == (6, u.count * u.size)
        total = found.unflatten(1, (u.count, u.size)).sum((0, 2)) / 6
        for unit in (0, u.count - 1):
            gate = torch.ones(u.count * u.size)
            losses = []
            for step in (-0.01, 0.01):
                gate[unit * u.size : (unit + 1) * u.size] = 1 + step
                with reading(model, {u.seen: lambda x, g=gate: x * g}), torch.no_grad():
                    losses.append(classes(model, batch)["y"].item())
            slope = (losses[1] - losses[0]) / 0.02
            assert total[unit].item() == pytest.approx(slope, rel=0.01, abs=2e-5)
    assert all(p.grad is None for p in model.parameters())


def test_frozen_trunks_are_looked_into_and_left_frozen(tmp_path: Path) -> None:
    model, batch = alone(CASES["audio whisper frozen"], tmp_path)
    encoder = model.encoders["x"]
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    smaller, _ = prune(model, Rows([batch]), 0.5, objective=classes)
    assert not encoder.opened
    assert [n for n, p in smaller.named_parameters() if not p.requires_grad] == frozen
    assert all(p.grad is None for p in model.parameters())


def test_least_squares_is_that_of_lstsq() -> None:
    x_NF = torch.randn(400, 12, dtype=torch.float64) @ torch.randn(12, 12, dtype=torch.float64) + 1
    weight_OF = torch.randn(5, 12, dtype=torch.float64)
    kept = torch.tensor([0, 3, 4, 9])
    one = torch.cat([x_NF, torch.ones(400, 1, dtype=torch.float64)], 1)
    new, shift = least_squares(weight_OF, one.T @ one / 400, kept, shifts=True)
    inner = one[:, [*kept.tolist(), 12]]
    slow = torch.linalg.lstsq(inner, x_NF @ weight_OF.T).solution.T
    wanted = x_NF @ weight_OF.T
    error = (inner @ torch.cat([new, shift[:, None]], 1).T - wanted).square().mean()
    best = (inner @ slow.T - wanted).square().mean()
    assert best <= error <= 1.01 * best  # the ridge takes a little
    assert (inner[:, :4] @ weight_OF[:, kept].T - wanted).square().mean() > 1.5 * error


def test_what_matters_and_is_refitted_keeps_decisions(tmp_path: Path) -> None:
    """Of two networks; answers, not decisions, are compared: how many of few rows cross a border
    differs from processor to processor."""
    found = [learned(tmp_path, seed=seed) for seed in (0, 1)]

    def apart(share: float, **options: Any) -> float:
        gaps = []
        for model, learn, held in found:
            smaller, _ = prune(model, Rows(learn), share, **options)
            gaps.append((chances(smaller, held) - chances(model, held)).abs().mean().item())
        return float(np.mean(gaps))

    model, learn, held = found[0]
    smaller, _ = prune(model, Rows(learn), 0.25, kinds=("neuron",))
    assert (decisions(smaller, held) == decisions(model, held)).double().mean() >= 0.95
    neither = apart(0.7, by="magnitude", refit=False)
    assert apart(0.7) < 0.4 * neither
    assert apart(0.7, refit=False) < 0.8 * neither
    assert apart(0.7, by="magnitude") < 0.6 * neither


def test_only_the_encoders_that_are_named(tmp_path: Path) -> None:
    model, learn, _ = learned(tmp_path, steps=1)
    _, record = prune(model, Rows(learn), 0.5, inputs=["note"])
    assert record["units"]
    assert all(reader.startswith("encoders.in_note.") for reader in record["units"])
    assert record["units"]["encoders.in_note.scratch.blocks.0.out"] == 2
    assert model.compressed == []


def test_refusals(tmp_path: Path) -> None:
    model, batch = alone(CASES["vector"], tmp_path)
    with pytest.raises(JobError, match="no encoder has heads, neurons or channels"):
        prune(model, Rows([batch]), 0.5, kinds=("channel",))
    with pytest.raises(JobError, match=r"share 1\.5 is not above 0 and up to 1"):
        prune(model, Rows([batch]), 1.5)
    model, learn, _ = learned(tmp_path, steps=1)
    for batch in learn:
        batch.targets["kind"]["known"] = torch.zeros(len(batch), dtype=torch.bool)
    with pytest.raises(JobError, match="no row that was given to look at has an answer"):
        prune(model, Rows(learn), 0.5)
    learn[0].values["note"]["features"] = torch.zeros(1)
    with pytest.raises(JobError, match="column 'note': rows come with what its frozen encoder"):
        prune(model, Rows(learn), 0.5)
    with pytest.raises(JobError, match="there are none"):
        prune(model, Rows([]), 0.5)
    with pytest.raises(RunError, match="compressed by 'fold', which this version does not know"):
        rebuild(model, [{"lever": "fold"}])
    with pytest.raises(RunError, match="its job's model has not the layers"):
        rebuild(model, [{"lever": "prune", "units": {"encoders.in_photo.out": 1}}])


def test_layers_of_adapters_are_left_alone(tmp_path: Path) -> None:
    model, _ = alone(CASES["text hf bert"], tmp_path)
    before = len(units_of(model))
    layer = model.encoders["x"].trunk.encoder.layer[0].intermediate
    layer.dense = nn.Sequential(layer.dense)
    assert len(units_of(model)) == before - 1
