"""What travels through a model: a batch goes in, tokens leave each encoder, one summary is fused.

Letters in names of tensors: B rows, T tokens of one input, D width, M modalities, K members of an
ensemble (1 but for `tabm`), C classes, N plain columns, L samples or word pieces, W words, H and W
height and width of a picture or map.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

TABLE = "table"  # the one input that carries all number, category and time columns


@dataclass
class Batch:
    """Some rows as tensors; an *input* is one media column, or `TABLE` for all plain columns.

    values: input -> name -> tensor with rows first. present: input -> bool, (B,) for a media
    column, (B, N) for `TABLE` in the order number, category, time. targets: task -> name -> tensor
    with rows first; each has `known` (B,) bool, and `y`. rows: row numbers in the table, (B,). An
    input that was not asked for stands in neither `values` nor `present`.
    """

    values: dict[str, dict[str, Tensor]]
    present: dict[str, Tensor]
    targets: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(next(iter(self.present.values()), self.rows))

    def to(self, device: torch.device) -> "Batch":
        """The same rows on a device."""
        return Batch(
            {k: {n: t.to(device) for n, t in v.items()} for k, v in self.values.items()},
            {k: t.to(device) for k, t in self.present.items()},
            {k: {n: t.to(device) for n, t in v.items()} for k, v in self.targets.items()},
            self.rows,
        )


class Tokens(NamedTuple):
    """One input, encoded. A row whose cell is absent holds one learned token and nothing else."""

    x_BTD: Tensor
    mask_BT: Tensor  # True where a token exists; at least the first of each row
    summary_BD: Tensor
    words_BW: Tensor | None = (
        None  # token index of each word's first piece, -1 beyond the last word
    )
    maps: tuple[Tensor, ...] = ()  # feature maps (B, F_i, H_i, W_i), finest first, for `locate`


class Fused(NamedTuple):
    """All inputs of a row in one summary for each member of the ensemble (K = 1 but for `tabm`)."""

    summary_BKD: Tensor
