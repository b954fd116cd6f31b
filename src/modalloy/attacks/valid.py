"""What may be done to one column's cells: how far its numbers can go, and the cells after it.

Each kind of column undoes what its reader did - standardising, squashing - moves the cell in its
own unit, keeps it within what a sensor or a table can hold, and does it again.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

Values = dict[str, dict[str, Tensor]]  # of a batch


class Valid(ABC):
    """What may be done to one column of a batch.

    shape: of what is moved of one row. low_BS, high_BS: the farthest moves, in budgets, from -1 to
    0 and from 0 to 1; both 0 where the cell is missing. ball: its moves of one row have a length of
    1 at most together; else each of them has.
    """

    ball = False

    def __init__(self, column: str, low: Tensor, high: Tensor, present_B: Tensor) -> None:
        self.column, self.shape = column, tuple(low.shape[1:])
        here = present_B.reshape(-1, *(1 for _ in self.shape))
        self.low_BS = torch.where(here, low, 0.0).clamp(-1.0, 0.0).reshape(len(low), -1)
        self.high_BS = torch.where(here, high, 0.0).clamp(0.0, 1.0).reshape(len(low), -1)

    @abstractmethod
    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """Write the moved cells into values of a batch that may be changed."""

    def shaped(self, u_BS: Tensor) -> Tensor:
        """A move in the shape of the cells, (B, *shape)."""
        return u_BS.reshape(len(u_BS), *self.shape)
