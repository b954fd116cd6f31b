"""One fused summary in, raw outputs out and a loss in training: what every task does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

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
        self.trunk: nn.Module | None = None  # the part of it that was pretrained

    @classmethod
    @abstractmethod
    def build(
        cls,
        name: str,
        options: Any,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`. It takes what it needs."""

    @abstractmethod
    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """Raw outputs, rows first, K members second where the head belongs to the ensemble.

        `answer/decoding` makes answers of them.
        """

    @abstractmethod
    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean loss over rows whose `target["known"]`; zero with a gradient path when none is."""

    @abstractmethod
    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """How many things `loss` is a mean over, a scalar: known rows, words, boxes or weights.

        Processes that train together weigh their losses by it.
        """
