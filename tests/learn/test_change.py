"""The moving average follows every step of a short training, every fourth one of a long one."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from modalloy.job import config
from modalloy.learn.change import Scheduled
from modalloy.learn.state import State


@pytest.mark.parametrize(("steps", "moves"), [(40, 6), (999, 6), (1000, 1)])
def test_the_average_follows_where_steps_are_few(steps: int, moves: int) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    settings = config.Train(ema=0.99, warmup=0.0)
    state = State.begin(model, lambda losses: losses["x"], settings, steps)
    seen = [state.average["weight"].clone()]
    for _ in range(6):
        model(torch.ones(2, 3)).sum().backward()
        Scheduled(settings)(state)
        seen.append(state.average["weight"].clone())
    assert sum(not torch.equal(a, b) for a, b in pairwise(seen)) == moves
