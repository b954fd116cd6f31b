"""Components of few rows hold all that a ridge regression learns from their features."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from modalloy.model.layers.components import Components


def test_ridge_on_components_answers_as_ridge_on_all_features() -> None:
    torch.manual_seed(0)
    x_NF, new_NF, y_N = torch.randn(12, 60) * 3 + 1, torch.randn(4, 60), np.arange(12.0)
    found = Components(60, 11)
    found.fit(x_NF)
    level = (found.scaled(x_NF) @ found.basis_FR - found.center_R).square().mean().sqrt()
    assert abs(level - 1) < 1e-4
    turned = found.basis_FR.T @ found.basis_FR
    step = turned[0, 0].sqrt()
    assert torch.allclose(turned, turned[0, 0] * torch.eye(11), atol=1e-4)
    whole = Ridge(alpha=2.0).fit(found.scaled(x_NF), y_N)
    short = Ridge(alpha=2.0 * float(step) ** 2).fit(found(x_NF), y_N)
    assert np.allclose(whole.predict(found.scaled(new_NF)), short.predict(found(new_NF)), atol=1e-2)


def test_fewer_rows_than_components_and_dead_features_give_zeros() -> None:
    found = Components(5, 8)
    x_NF = torch.randn(3, 5)
    x_NF[:, 2] = 7.0
    found.fit(x_NF)
    assert (found(x_NF)[:, 2:].abs() < 1e-4).all()
    assert not found.scaled(x_NF)[:, 2].any()
    found.fit(torch.ones(3, 5))
    assert not found(torch.randn(2, 5)).any()


def test_sparse_features_keep_their_zeros_and_are_held_back() -> None:
    x_NF = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [4.0, 4.0]])
    found = Components(2, 2, sparse=True)
    found.fit(x_NF)
    std_F = x_NF.std(0, correction=0)
    assert torch.allclose(found.scale_F, 1 / (std_F + torch.tensor([0.75**4, 0.0])))
    assert (found.scaled(x_NF)[:3, 0] == 0).all()
