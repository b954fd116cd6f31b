"""Cycles and trends of all time columns in, one vector a column out."""

from collections.abc import Sequence

from torch import Tensor, nn

from modalloy.model.encoders.number import EachLinear
from modalloy.readers.time import TimeReader


class TimeEmbedding(nn.Module):
    """A linear map and a ReLU of its own for each of N columns.

    Columns of which less is seen than of others hold zeros at the end.
    """

    def __init__(self, readers: Sequence[TimeReader], size: int) -> None:
        super().__init__()
        self.linear = EachLinear(len(readers), max(r.width for r in readers), size)

    def forward(self, x_BNF: Tensor) -> Tensor:
        """(B, N, F) -> (B, N, d)."""
        return self.linear(x_BNF)
