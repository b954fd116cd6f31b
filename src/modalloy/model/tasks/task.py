"""One fused summary in, an answer out and a loss in training: what every task does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from modalloy.model.tokens import Batch, Fused, Tokens

Outputs = dict[str, Tensor]
Target = Mapping[str, Tensor]  # a task's own entry of `Batch.targets`


class Task(nn.Module, ABC):
    """A head. Constructors take (name, options, target reader, width, members), then what only this
    kind of head needs.

    least: `loss` divides by this where it counts fewer things.
    """

    least: float = 0.0

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    @abstractmethod
    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """Raw outputs, rows first, K members second where the head belongs to the ensemble."""

    @abstractmethod
    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean loss over rows whose `target["known"]`; zero with a gradient path when none is."""

    @abstractmethod
    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """How many things `loss` is a mean over, a scalar: known rows, words, boxes or weights.

        Processes that train together weigh their losses by it.
        """

    @abstractmethod
    def answer(self, outputs: Outputs) -> dict[str, np.ndarray]:
        """What a person reads, as arrays with rows first; members are averaged.

        classify single: `probability` (B, C). classify multi: `probability` (B, C), independent.
        regress: `value` (B,) in the target's own unit, `quantiles` (B, Q) where asked. tag: `tags`
        object array of lists of BIO strings, `confidence` (B,) mean probability of the chosen tags.
        locate: `boxes`, `scores`, `names`: object arrays of (n, 4) pixel arrays of the original
        picture, (n,) arrays and lists of strings.
        """
