"""Learning without labels: ways to learn beside one body, each with parts of its own, and the sum.

A pretext brings parts that only it needs, such as a decoder. The body alone is kept afterwards.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.layers.named import Named
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import Method, read_name


class Pretext(nn.Module, ABC):
    """One way to learn from rows without labels.

    All chance comes from torch's global generator, which `fit` seeds for each step.
    """

    @abstractmethod
    def forward(self, body: Body, batch: Batch) -> Losses:
        """Its losses on a batch, named by `method_loss`; zero, with a gradient, where a batch shows
        nothing to learn from."""

    def parts(self, body: Body, batch: Batch) -> Losses:
        """The same losses, as finely as a report tells them."""
        return self(body, batch)


class Pretraining(nn.Module):
    """A body and the ways by which it learns: the network that `fit` trains."""

    def __init__(self, body: Body, pretexts: Mapping[Method, Pretext]) -> None:
        super().__init__()
        self.body = body
        self.pretexts = Named({str(method): pretext for method, pretext in pretexts.items()})

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.body.device


def pretraining(model: Pretraining, batch: Batch) -> Losses:
    """The named losses of all pretexts."""
    losses = Losses()
    for pretext in model.pretexts.values():
        own = pretext(model.body, batch)
        for name, loss in own.items():
            losses.add(name, loss, *own.counts[name])
    return losses


def weighed(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The sum of named losses, each times the weight of its method."""
    return torch.stack(
        [weights[str(read_name(n).method)] * loss for n, loss in losses.items()]
    ).sum()
