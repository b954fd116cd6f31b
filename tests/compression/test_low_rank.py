"""Factors of full rank change nothing; of a lower one they are the best for what a layer reads."""

from pathlib import Path

import pytest
import torch

from compressible import CASES, alone, decisions, learned, told
from encoder_cases import text
from modalloy.compression.lever import Rows
from modalloy.compression.low_rank import factorise, split
from modalloy.errors import JobError
from modalloy.model.compressed.factors import linear_layers
from modalloy.model.compressed.rebuild import rebuild

CHOSEN = ("text scratch", "text hf bert", "image hf vit", "image hf siglip", "series base", "table")


@pytest.mark.parametrize("case", CHOSEN)
def test_full_rank_changes_nothing(case: str, tmp_path: Path) -> None:
    model, batch = alone(CASES[case], tmp_path)
    whole, record = factorise(model, Rows([batch]), 1.0, always=True)
    layers = linear_layers(model)
    assert record["ranks"] == {
        n: min(w.weight.shape) for n, w in layers.items() if n in record["ranks"]
    }
    assert record["ranks"]
    torch.testing.assert_close(told(whole, batch), told(model, batch), atol=1e-5, rtol=1e-4)
    again, _ = alone(CASES[case], tmp_path)
    rebuild(again, [record])
    again.load_state_dict(whole.state_dict())
    torch.testing.assert_close(told(again.eval(), batch), told(whole, batch), atol=1e-6, rtol=0)
    cheap, record = factorise(model, Rows([batch]), 1.0)
    assert record["ranks"] == {}  # a full rank never pays
    assert torch.equal(told(cheap, batch), told(model, batch))


def test_it_is_the_best_of_its_rank_for_these_rows() -> None:
    """Beside factors of the weights alone, and beside a long descent."""
    mix = torch.randn(8, 8) * torch.logspace(0, -2, 8)
    x_NI = torch.randn(500, 8) @ mix + 0.5
    weight = torch.randn(6, 8)
    one = torch.cat([x_NI, torch.ones(500, 1)], 1)
    down, up, shift = split(weight, one.T @ one / 500, 0.9)
    rank = len(down)
    assert 1 <= rank < 6
    wanted = x_NI @ weight.T
    spread = (wanted - wanted.mean(0)).square().sum()

    def error(down: torch.Tensor, up: torch.Tensor, shift: torch.Tensor) -> float:
        return ((x_NI @ down.T @ up.T + shift - wanted).square().sum() / spread).item()

    assert error(down, up, shift) <= 0.1 + 1e-4
    u, s, v = torch.linalg.svd(weight)
    plain = (v[:rank], u[:, :rank] * s[:rank])
    lost = (weight - plain[1] @ plain[0]) @ x_NI.mean(0)
    assert error(*plain, lost) > 1.2 * error(down, up, shift)
    if rank > 1:
        fewer = split(weight, one.T @ one / 500, 0.9 - 0.5)
        assert error(*fewer) > 0.1
    a, b, c = (t.clone().requires_grad_() for t in (down, up, shift))
    steps = torch.optim.Adam([a, b, c], 1e-3)
    for _ in range(300):
        steps.zero_grad()
        ((x_NI @ a.T @ b.T + c - wanted).square().sum() / spread).backward()
        steps.step()
    assert error(a.detach(), b.detach(), c.detach()) > 0.99 * error(down, up, shift)


def test_a_trained_model_decides_the_same(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path)
    smaller, record = factorise(model, Rows(learn), 0.98)
    assert len(record["ranks"]) >= 4
    assert "note" in record["inputs"]
    assert record["parameters"]["after"] < record["parameters"]["before"]
    same = (decisions(smaller, held) == decisions(model, held)).double().mean()
    assert same >= 0.95
    ranks = factorise(model, Rows(learn), 0.8).record["ranks"]
    shared = ranks.keys() & record["ranks"].keys()
    assert all(ranks[n] <= record["ranks"][n] for n in shared)
    assert sum(ranks[n] < record["ranks"][n] for n in shared) >= 4
    with pytest.raises(JobError, match="low rank: share 0 is not above 0"):
        factorise(model, Rows(learn), 0.0)


def test_frozen_layers_stay_frozen(tmp_path: Path) -> None:
    model, batch = alone(lambda _: text("scratch"), tmp_path)
    model.encoders["x"].scratch.requires_grad_(False)
    smaller, record = factorise(model, Rows([batch]), 0.9)
    frozen = [n for n in record["ranks"] if ".scratch." in n]
    assert frozen
    assert not any(p.requires_grad for n in frozen for p in smaller.get_submodule(n).parameters())
