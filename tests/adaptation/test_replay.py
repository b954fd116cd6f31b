"""A step with old rows beside new ones minimises the weighed sum of both losses."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from modalloy.adaptation.replay import replaying
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses


def batches() -> Iterator[Batch]:
    """Old rows, by their numbers."""
    for start in (10, 20):
        yield Batch({}, {}, {}, np.arange(start, start + 2))


def numbers(model: Any, batch: Batch) -> Losses:
    """The mean row number, times the weight."""
    found = Losses()
    found.add("y", model.weight.sum() * float(batch.rows.mean()), torch.tensor(len(batch.rows)))
    return found


def test_the_loss_is_weighed() -> None:
    net: Any = nn.Linear(1, 1, bias=False).train()
    with torch.no_grad():
        net.weight.fill_(1.0)
    both = replaying(numbers, batches(), 0.75)
    new = Batch({}, {}, {}, np.array([0, 2]))
    assert both(net, new)["y"].item() == 0.25 * 1.0 + 0.75 * 10.5
    assert both(net, new)["y"].item() == 0.25 * 1.0 + 0.75 * 20.5
    assert both(net.eval(), new)["y"].item() == 1.0
