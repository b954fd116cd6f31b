"""Our dropout has the right share, mean and gradient, and none of it when not training."""

import pytest
import torch
from torch import nn

from modalloy.model.layers.dropout import Dropout, dropout, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_share_and_mean(p: float) -> None:
    torch.manual_seed(0)
    y = dropout(torch.ones(997, 1003), p, True)
    assert abs((y == 0).float().mean().item() - p) < 0.004
    assert abs(y.mean().item() - 1) < 0.004
    assert len(y.unique()) == 2


def test_gradient_flows_through_kept_entries_only() -> None:
    x = torch.ones(1000, requires_grad=True)
    y = dropout(x, 0.3, True)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_entries_are_dropped_independently() -> None:
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(800_000), 0.5, True) == 0).float().view(-1, 8)
    correlation = torch.corrcoef(dropped.T) - torch.eye(8)
    assert correlation.abs().max() < 0.02


def test_nothing_happens_outside_training_and_the_seed_decides() -> None:
    x = torch.randn(5, 7)
    assert dropout(x, 0.5, False) is x
    assert dropout(x, 0.0, True) is x
    torch.manual_seed(3)
    a = dropout(x, 0.5, True)
    torch.manual_seed(3)
    assert torch.equal(a, dropout(x, 0.5, True))


def test_every_dropout_of_a_module_is_replaced() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.3), nn.ReLU()))
    replace_dropout(net)
    assert isinstance(net[1][0], Dropout)
    assert net[1][0].p == 0.3
