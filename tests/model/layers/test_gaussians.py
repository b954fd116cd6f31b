"""Mixtures over patches against scipy and against what is drawn from them."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from modalloy.model.layers.gaussians import Mixture, MixtureHead, Range

SPAN = Range(-50.0, 50.0, 0.2)


def some_mixture() -> Mixture:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, generator=draw)
    means = torch.randn(2, 3, 4, 5, generator=draw)
    return Mixture(logits, means, torch.rand(2, 3, 4, 5, generator=draw))


def test_nats_are_those_of_scipy() -> None:
    found, draw = some_mixture(), torch.Generator().manual_seed(1)
    x_BNP = torch.randn(2, 3, 5, generator=draw)
    counts_BNP = torch.rand(2, 3, 5, generator=draw) < 0.7
    scale = SPAN.noise * np.exp(found.wider_BNKP.numpy())
    density = norm.logpdf(x_BNP.numpy()[:, :, None], found.mean_BNKP.numpy(), scale)
    best = norm.logpdf(0.0, 0.0, SPAN.noise)
    each = ((density - best) * counts_BNP.numpy()[:, :, None]).sum(-1)
    logits = found.logits_BNK.numpy()
    chance = logits - logsumexp(logits, -1, keepdims=True)
    wanted = -logsumexp(chance + each, -1)
    assert found.nats(x_BNP, SPAN, counts_BNP).numpy() == pytest.approx(wanted, rel=1e-4)


def test_nothing_is_surer_than_the_noise() -> None:
    sure = Mixture(torch.zeros(1, 1, 1), torch.ones(1, 1, 1, 3), torch.zeros(1, 1, 1, 3))
    every = torch.ones(1, 1, 3, dtype=torch.bool)
    assert sure.nats(torch.ones(1, 1, 3), SPAN, every).item() == 0.0
    assert sure.nats(torch.ones(1, 1, 3) + 0.2, SPAN, every).item() == pytest.approx(1.5)
    head = MixtureHead(8, 3, 2, SPAN)
    assert (head(torch.randn(4, 2, 8) * 100).wider_BNKP >= 0).all()


def test_draws_have_the_mean_and_spread_of_the_mixture() -> None:
    one = Mixture(*(t[:1, :1] for t in some_mixture()))
    many = Mixture(*(t.expand(1, 40_000, *t.shape[2:]) for t in one))
    u_BNO = torch.rand(1, 40_000, 6, generator=torch.Generator().manual_seed(2))
    drawn_NP = many.draw(u_BNO, 1.0, SPAN)[0]
    chance_K1 = one.logits_BNK[0, 0].softmax(-1)[:, None]
    assert drawn_NP.mean(0) == pytest.approx(one.mean(SPAN)[0, 0].numpy(), abs=0.02)
    own_KP = SPAN.noise**2 * (torch.exp(2 * one.wider_BNKP[0, 0]) - 1)
    second_P = (chance_K1 * (own_KP + one.mean_BNKP[0, 0].square())).sum(0)
    wanted_P = (second_P - one.mean(SPAN)[0, 0].square()).sqrt()
    assert drawn_NP.std(0) == pytest.approx(wanted_P.numpy(), abs=0.02)


def test_cold_draws_are_the_likeliest_component_and_stay_in_range() -> None:
    found = some_mixture()
    u_BNO = torch.rand(2, 3, 6, generator=torch.Generator().manual_seed(3))
    best_BN11 = found.logits_BNK.argmax(-1)[..., None, None].expand(-1, -1, 1, 5)
    wanted = found.mean_BNKP.gather(2, best_BN11).squeeze(2)
    assert torch.allclose(found.draw(u_BNO, 1e-4, SPAN), wanted, atol=1e-3)
    narrow = Range(-0.1, 0.1, 0.2)
    assert found.draw(u_BNO, 1.0, narrow).abs().max().item() == pytest.approx(0.1)
    assert found.mean(narrow).abs().max() <= 0.1
