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
