"""Neighbours kept cost nothing, and the divergence is scipy's."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from modalloy.objectives.neighbours import TEMPERATURE, neighbours


def shares(x: np.ndarray) -> np.ndarray:
    """Row by row."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    x = x - x.mean(0)
    likeness = np.exp(x @ x.T / TEMPERATURE)
    return likeness / likeness.sum(1, keepdims=True)


def test_it_agrees_with_scipy_level_by_level() -> None:
    before, after = torch.randn(6, 4).double(), torch.randn(6, 3).double()
    p, q = shares(before.numpy()), shares(after.numpy())
    slow = 0.0
    for level in (1, 2, 3):
        a, b = np.linalg.matrix_power(p, level), np.linalg.matrix_power(q, level)
        slow += np.mean([jensenshannon(x, y) ** 2 for x, y in zip(a, b, strict=True)]) / level
    assert neighbours(before, after, levels=3).item() == pytest.approx(slow / 3, rel=1e-6)


def test_turning_the_space_keeps_neighbours_and_shuffling_does_not() -> None:
    before = torch.randn(8, 4).double()
    turn, _ = torch.linalg.qr(torch.randn(4, 4).double())
    assert neighbours(before, before @ turn, levels=2).item() == pytest.approx(0.0, abs=1e-9)
    assert neighbours(before, before.flip(0) ** 3, levels=2) > 0.01


def test_one_row_has_no_neighbours() -> None:
    after = torch.ones(1, 3, requires_grad=True)
    loss = neighbours(torch.ones(1, 2), after, levels=1)
    loss.backward()
    assert loss.item() == 0.0
    assert after.grad is not None
