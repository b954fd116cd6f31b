"""Batch norms take the figures of new rows, mixed with those of training by how many there are."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modalloy.adaptation.norms import re_estimate
from modalloy.model.tokens import Batch


class Net(nn.Module):
    """Two norms, the second of which sees what the first lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = nn.ModuleDict()
        self.first, self.second = nn.BatchNorm1d(2), nn.BatchNorm1d(2)

    def forward(self, batch: Batch, tasks: Any) -> torch.Tensor:
        assert tasks == []
        return self.second(torch.relu(self.first(batch.values["x"]["x"])))


def batches() -> list[Batch]:
    """Two batches of rows that are four times as wide and lie elsewhere."""
    draw = torch.Generator().manual_seed(0)
    return [Batch({"x": {"x": 4 * torch.randn(16, 2, generator=draw) + 3}},
                  {"x": torch.ones(16, dtype=torch.bool)}, {}, np.arange(16))
            for _ in range(2)]  # fmt: skip


@pytest.mark.parametrize("prior", [0.0, 16.0])
def test_figures_are_a_mean_by_rows(prior: float) -> None:
    net: Any = Net()
    assert re_estimate(net, batches(), prior_rows=prior) == 2
    share = 32 / (32 + prior)
    xs = [b.values["x"]["x"] for b in batches()]
    mean = torch.stack([x.mean(0) for x in xs]).mean(0)
    var = torch.stack([x.var(0) for x in xs]).mean(0)
    torch.testing.assert_close(net.first.running_mean, share * mean)
    torch.testing.assert_close(net.first.running_var, share * var + (1 - share))
    after = [
        torch.relu((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()).mean(0) for x in xs
    ]
    torch.testing.assert_close(net.second.running_mean, share * torch.stack(after).mean(0))
    assert net.first.momentum == 0.1
    assert not net.first.training


def test_a_net_without_norms_has_none() -> None:
    net: Any = nn.Sequential(nn.Linear(2, 2))
    assert re_estimate(net, []) == 0
