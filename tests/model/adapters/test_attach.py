"""Every encoder with every method: the same answers at first, exact once merged, gone once off."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bare import Bare, bare, learn
from encoder_cases import CASES, image, series, text, vector
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.adapted import Adapted, Place
from modalloy.model.adapters.attach import BESIDE, attach, detach, merge, put_beside
from modalloy.model.adapters.places import NORMS
from modalloy.model.encoders.text import MINILM
from modalloy.model.trunks.whisper import TINY_EN

# Much like others, or with fronts beside the learned one that take long and are no layers.
ALIKE = (
    "image large", "image all views", "tokens scratch", "tokens minilm", "text hf xlm-roberta",
    "series all", "series convolution",
)  # fmt: skip
MORE = {
    # Real weights: through so many random layers rounding alone grows to what is asked here.
    "image lite": lambda _: image("efficientnet_lite0", 64, pretrained=True),
    "series fixed": lambda _: series(front=("statistics", "spectrum")),
    "series norms": lambda _: series(length=100, front=("convolution",)),
}
WALKED = {n: case for n, case in CASES.items() if n not in ALIKE} | MORE


@pytest.fixture(autouse=True)
def _one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer stands for all that are alike."""
    monkeypatch.setitem(MINILM, "num_hidden_layers", 1)
    monkeypatch.setitem(TINY_EN, "encoder_layers", 1)


def told(model: Any, values: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return model(values)


@pytest.mark.parametrize("case", WALKED)
def test_every_method_beside(case: str, tmp_path: Path) -> None:
    model, values = bare(WALKED[case], tmp_path, rows=2)
    before, weights = told(model, values), copy.deepcopy(model.state_dict())
    network = model.encoders["x"].network
    for method in BESIDE:
        options = config.Adapter(method=method, rank=None)
        if not any(takes(method, m) for m in network.modules()):
            with pytest.raises(JobError, match=f"columns.x: {method} stands beside .* none that"):
                attach(model, options, columns=["x"])
            assert model.state_dict().keys() == weights.keys()
            continue
        layers = attach(model, options, columns=["x"])
        assert layers
        rounding = 1e-5 if method == "pissa" else 1e-6  # sums at other addresses round otherwise
        assert (told(model, values) - before).abs().max() <= rounding
        unlearned = copy.deepcopy(model)
        merge(unlearned)
        for name, weight in unlearned.state_dict().items():  # nothing is added yet
            torch.testing.assert_close(weight, weights[name], atol=0.1 * rounding, rtol=0)
        own = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        learn(model, values, steps=1)
        moved = [n for n, p in model.named_parameters() if n in own and not torch.equal(p, own[n])]
        assert any(n.startswith("encoders") for n in moved), method
        learned, merged = told(model, values), copy.deepcopy(model)
        merge(merged)
        assert merged.state_dict().keys() == weights.keys()
        assert (told(merged, values) - learned).abs().max() <= 1e-5
        detach(model)
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, weights[name]) or name.startswith("tasks"), (method, name)
        model.load_state_dict(weights)


def takes(method: str, module: nn.Module) -> bool:
    """Whether a method is for such layers at all."""
    kinds: dict[str, Any] = {"pissa": nn.Linear, "vera": nn.Linear, "layernorm": NORMS}
    usual = nn.Linear | nn.Conv1d | nn.Conv2d
    return isinstance(module, kinds.get(method, usual)) and any(True for _ in module.parameters())


@pytest.fixture
def lists() -> tuple[Bare, dict[str, Tensor]]:
    """An encoder of vectors, and values."""
    return bare(lambda _: vector(), None)


@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "pissa", "adalora", "ia3", "vera"])
def test_merged_weights_are_those_of_the_papers(method: str, lists: Any) -> None:
    model, values = lists
    weight_OI = model.encoders["x"].inward.weight.detach().clone()
    scaled = {} if method == "ia3" else {"rank": 4}
    alpha = {} if method in ("ia3", "vera") else {"alpha": 6.0}
    attach(model, config.Adapter(method=method, **scaled, **alpha), columns=["x"])
    learn(model, values)
    layer = model.encoders["x"].inward
    held = {n.rsplit(".", 1)[0]: p.detach() for n, p in layer.named_parameters()}
    held |= {n: p for n, p in layer.named_parameters() if n.startswith("lora")}
    match method:
        case "lora" | "rslora" | "pissa" | "dora":
            (down, up) = (m[next(iter(m))].weight for m in (layer.lora_A, layer.lora_B))
            scale = 6.0 / 4 if method != "rslora" else 6.0 / 2
            base_OI = layer.base_layer.weight
            expected = base_OI + scale * up @ down
            if method == "pissa":  # what is left of the weights has lost four directions
                lost = torch.linalg.matrix_rank(weight_OI - base_OI, tol=1e-4)
                assert lost == 4
            if method == "dora":
                size_O1 = layer.lora_magnitude_vector["dora00"].weight[:, None]
                expected = size_O1 * expected / expected.norm(dim=1, keepdim=True)
        case "adalora":
            values_R1, down, up = (
                getattr(layer, n)["adalora00"] for n in ("lora_E", "lora_A", "lora_B")
            )
            expected = weight_OI + 6.0 / (6 + 1e-5) * up @ (values_R1 * down)
        case "ia3":
            expected = layer.ia3_l["ia300"] * weight_OI
        case _:
            up_OR, down_RI = layer.vera_B["vera00"][: len(weight_OI)], layer.vera_A["vera00"]
            grown = layer.vera_lambda_b["vera00"][:, None] * up_OR
            drawn = layer.vera_lambda_d["vera00"][:, None] * down_RI[:, : weight_OI.shape[1]]
            expected = weight_OI + grown @ drawn
    expected = expected.detach().clone()
    merge(model)
    torch.testing.assert_close(model.encoders["x"].inward.weight.detach(), expected)


def test_rank_alpha_and_layers_change_what_learns(lists: Any, tmp_path: Path) -> None:
    model, _ = bare(lambda _: text("scratch"), tmp_path)
    found = {}
    for name, asked in {
        "usual": {},
        "rank": {"rank": 2},
        "alpha": {"alpha": 1.0},
        "layers": {"layers": "all"},
    }.items():
        layers = attach(model, config.Adapter(method="lora", **asked), columns=["x"])
        first = model.get_submodule(layers[0])
        found[name] = (len(layers), len(first.lora_A["lora00"].weight), first.scaling["lora00"])
        detach(model)
    assert found == {
        "usual": (4, 8, 2.0), "rank": (4, 2, 2.0), "alpha": (4, 8, 1 / 8), "layers": (12, 8, 2.0)
    }  # fmt: skip
    queries = attach(model, config.Adapter(method="lora"), columns=["x"])
    assert [n.rpartition(".")[2] for n in queries] == ["query", "value"] * 2
    detach(model)
    keys = attach(model, config.Adapter(method="ia3"), columns=["x"])
    assert [n.rpartition(".")[2] for n in keys] == ["key", "value", "down"] * 2


def test_head_last_n_and_full_learn_as_much_as_they_say(tmp_path: Path) -> None:
    model, _ = bare(lambda _: text("scratch"), tmp_path)
    learned = {}
    for method, last_n in (("head", 2), ("last_n", 1), ("last_n", 2), ("full", 2)):
        assert attach(model, config.Adapter(method=method, last_n=last_n), columns=["x"]) == []
        names = [n for n, p in model.named_parameters() if p.requires_grad]
        learned[method, last_n] = {n for n in names if not n.startswith("tasks")}
        detach(model)
    blocks = {n for n, _ in model.named_parameters() if "scratch.blocks" in n}
    assert learned["head", 2] == set()
    assert learned["last_n", 1] == {n for n in blocks if "blocks.1" in n}
    assert learned["last_n", 2] == blocks
    assert learned["full", 2] == {n for n, _ in model.named_parameters() if "tasks" not in n}
    with pytest.raises(JobError, match=r"columns.x: has 2 blocks, not 3"):
        attach(model, config.Adapter(method="last_n", last_n=3), columns=["x"])


def test_figures_of_norms_stand_still_beside_adapters(tmp_path: Path) -> None:
    model, values = bare(CASES["image scratch"], tmp_path)
    figures = {n: b.clone() for n, b in model.named_buffers()}
    attach(model, config.Adapter(method="lora"))
    learn(model, values, steps=1)
    merge(model)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, figures[name]), name


def test_methods_side_by_side_are_all_awake(lists: Any) -> None:
    model, values = lists
    network = config.Adapter(method="lora", rank=2)
    fusion = config.Adapter(method="rslora", rank=3)
    places = (Place("encoders.in_x", "columns.x", network), Place("fusion", "fuse", fusion))
    model.adapted = Adapted(places, {}, list(model.parameters()))
    put_beside(model, model.adapted, None)
    learn(model, values, steps=1)
    for layer in model.adapted.layers:
        (up,) = model.get_submodule(layer).lora_B.values()
        assert up.weight.any(), layer  # it was zero before the first step
    budgets = [config.Adapter(method="adalora", rank=r) for r in (2, 3)]
    detach(model)
    places = tuple(Place(p.root, p.whose, o) for p, o in zip(places, budgets, strict=True))
    model.adapted = Adapted(places, {}, list(model.parameters()))
    with pytest.raises(JobError, match="shares one budget of ranks"):
        put_beside(model, model.adapted, None)


def test_what_cannot_be_is_a_sentence(lists: Any) -> None:
    model, _ = lists
    with pytest.raises(JobError, match=r"columns.x: rank 400 is above the layers .* has 16"):
        attach(model, config.Adapter(method="lora", rank=400))
    with pytest.raises(JobError, match="y"):
        attach(model, config.Adapter(), columns=["y"])
    assert model.adapted is None
    layers = attach(model, config.Adapter(method="lora", rank=16))
    assert max(model.adapted.layers.values()) == 16  # less where a layer has less
    assert min(model.adapted.layers.values()) < 16
    assert any(n.startswith("fusion") for n in layers)


@pytest.mark.parametrize("kind", ["sum", "gated", "attention", "bottleneck", "multilinear", "tabm"])
def test_every_fusion_is_adapted(kind: str) -> None:
    encoder, values = vector()
    options = getattr(config, kind.capitalize())(width=16, layers=1)
    model, some = Bare(encoder, options).eval(), values(3)
    before = told(model, some)
    layers = attach(model, config.Adapter(method="dora", rank=2))
    assert any(n.startswith("fusion") for n in layers)
    assert torch.equal(told(model, some), before)
    learn(model, some, steps=1)
    learned = told(model, some)
    merge(model)
    assert (told(model, some) - learned).abs().max() <= 1e-5
