"""What every decoder does: a row's tokens in, the logits of one piece after the other out."""

import inspect
from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What a decoder looks at: tokens of all inputs of each row, (B, T, D), where mask_BT holds."""

    x_BTD: Tensor
    mask_BT: Tensor

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.x_BTD.shape[0]


class Going(Protocol):
    """N texts on their way, with what was worked out for the pieces that stand already."""

    def take(self, index_N: Tensor) -> Self:
        """The same of some of the texts, in any number and order."""
        ...


class Decoder(nn.Module, ABC):
    """Final subclasses write the four steps; `start` is the piece before the first one.

    logits: how many it foretells, perhaps more than there are pieces; 0 while it does not say.
    trunk: the pretrained network, None for one from scratch. blocks: of it, from input to output.
    """

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start
        self.logits = 0
        self.trunk: nn.Module | None = None
        self.blocks: list[nn.Module] = []

    @property
    def network(self) -> nn.Module | None:
        """What is adapted of a pretrained decoder: all but its output, which may be its input."""
        return None

    @abstractmethod
    def forward(self, memory: Memory, y_BL: Tensor) -> Tensor:
        """Logits (B, L, V) of each piece of known texts, given those before it.

        y_BL: pieces; what stands behind the end of a text may be anything that is one.
        """

    @abstractmethod
    def begin(self, memory: Memory) -> Going:
        """One text a row, before its first piece."""

    @abstractmethod
    def step(self, going: Going, ids_N: Tensor) -> Tensor:
        """Logits (N, V) of the piece after this one; the texts go on by it."""

    def read_pretrained(self) -> None:
        """Take weights that come from a package or a folder; nothing for a decoder from scratch."""

    def shifted(self, y_BL: Tensor) -> Tensor:
        """What stands before each piece: the start, then all but the last one."""
        start_B1 = y_BL.new_full((y_BL.shape[0], 1), self.start)
        return torch.cat([start_B1, y_BL[:, :-1]], 1)


def cache_name(model: nn.Module) -> str:
    """What a network of transformers calls what it keeps of pieces before: another name since
    5.24.
    """
    named = inspect.signature(type(model).forward).parameters
    return "cache" if "cache" in named else "past_key_values"
