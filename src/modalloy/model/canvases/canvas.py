"""What every canvas does: a cell as N patches in an order, and the cell as far as a patch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from modalloy.model.layers.gaussians import Range

MOST_PATCHES = 64  # of a cell: each is one step of what predicts them


class Patches(NamedTuple):
    """Cells of B rows: P numbers in each of at most N patches, and which of these exist."""

    x_BNP: Tensor
    counts_BNP: Tensor  # bool

    def ends(self) -> tuple[Tensor, Tensor]:
        """The first patch of each row that exists, (B,), and the one after the last, (B,); 0 and 0
        where there is none. Patches between them may be missing.
        """
        there_BN = self.counts_BNP.any(2)
        at_N = torch.arange(1, there_BN.shape[1] + 1, device=there_BN.device)
        end_B = (there_BN * at_N).amax(1)
        first_B = there_BN.long().argmax(1)  # the first of equal ones
        return first_B, end_B


def seen_of(cell: Patches, taken_B: Tensor) -> Tensor:
    """How many patches are seen where so many are from the first that exists on, (B,).

    None are where none of those that exist are.
    """
    return torch.where(taken_B > 0, cell.ends()[0] + taken_B, 0)


class Canvas(ABC):
    """Patches of one column: how cells become them, and what they look like again.

    patches, numbers: N and P of the longest cell. line: patches that stand side by side.
    """

    span: ClassVar[Range]
    patches: int
    numbers: int
    line: int = 1

    @abstractmethod
    def cut(self, values: Mapping[str, Tensor]) -> Patches:
        """Cells, as a reader gives them, in patches."""

    @abstractmethod
    def begun(self, values: Mapping[str, Tensor], seen_B: Tensor) -> dict[str, Tensor]:
        """The same cells with all that is not in their first `seen` patches hidden."""

    @abstractmethod
    def whole(self, x_NP: np.ndarray) -> np.ndarray:
        """One cell of all its patches, as its reader's values are."""

    def before(self) -> Tensor:
        """The earlier patches next to each, (N, M), -1 where there is none: the last two."""
        at_N = torch.arange(self.patches)
        return torch.stack([at_N - 1, at_N - 2], 1).clamp_min(-1)
