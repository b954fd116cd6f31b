"""FedProx pulls as its article says, beside algebra by hand on one weight."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from modalloy.federation.local_training import Corrections
from modalloy.job import config
from modalloy.learn.change import Scheduled

START, NOW, X, Y, PULL, RATE = 2.0, 3.0, 1.5, 1.0, 0.5, 0.1


def state_of(weight: float) -> Any:
    """One weight w whose loss is (w x - y)^2 / 2, learned by plain gradients."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    optimizer.param_groups[0]["top_lr"] = RATE
    return SimpleNamespace(model=model, optimizer=optimizer, step=0, steps=10**6, average={})


def stepped(state: Any, change: Scheduled) -> float:
    """One step of that loss; where the weight is then."""
    loss = (state.model(torch.tensor([[X]])) - Y).square().sum() / 2
    loss.backward()
    change(state)
    return state.model.weight.item()


def change_with(pull: float) -> Scheduled:
    corrections = Corrections({"weight"}, pull, {"weight": torch.tensor([[START]])}, {})
    settings = config.Train(optimizer="sgd", lr=RATE, warmup=0.0, clip=1e9)
    return Scheduled(settings, before=corrections)


def test_one_step_goes_where_algebra_says() -> None:
    """w - r (x (w x - y) + m (w - w0)), Li et al. 2020, equation 2."""
    gradient = X * (NOW * X - Y)
    found = stepped(state_of(NOW), change_with(PULL))
    assert found == pytest.approx(NOW - RATE * (gradient + PULL * (NOW - START)), rel=1e-6)
    assert stepped(state_of(NOW), change_with(0.0)) == pytest.approx(NOW - RATE * gradient)


def test_many_steps_end_where_the_pulled_loss_is_least() -> None:
    """(x y + m w0) / (x^2 + m); without a pull, y / x."""
    for pull in (PULL, 0.0):
        state, change = state_of(NOW), change_with(pull)
        for _ in range(200):
            stepped(state, change)
        least = (X * Y + pull * START) / (X**2 + pull)
        assert state.model.weight.item() == pytest.approx(least, rel=1e-4)
