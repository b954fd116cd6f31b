"""What travels through a model: a batch, the tokens of each encoder, one fused summary.

Letters in names of tensors: B rows, T tokens of one input, D width, M modalities, K members of an
ensemble (1 but for `tabm`), C classes, N tabular columns, L samples or word pieces, W words, H and
W height and width of a picture or map.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from modalloy.readers.batch import ArrayBatch, Arrays


@dataclass
class Batch:
    """Some rows as tensors, where an `ArrayBatch` has arrays: the door of the network.

    values: input -> name -> tensor with rows first. present: input -> bool, (B,) for a media
    column, (B, N) for `TABLE` in the order number, category, time. targets: task -> name -> tensor
    with rows first; each has `known` (B,) bool, and `y`. rows: row numbers in the table, (B,). An
    input that was not asked for stands in neither `values` nor `present`.
    """

    values: dict[str, dict[str, Tensor]]
    present: dict[str, Tensor]
    targets: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, arrays: ArrayBatch, device: torch.device | None = None) -> Self:
        """The rows of arrays on a device; on the processor, tensors share the arrays' memory."""
        batch = cls(
            {k: tensors(v) for k, v in arrays.values.items()},
            tensors(arrays.present),
            {k: tensors(v) for k, v in arrays.targets.items()},
            arrays.rows,
        )
        return batch if device is None else batch.to(device)

    def __len__(self) -> int:
        return len(next(iter(self.present.values()), self.rows))

    def to(self, device: torch.device) -> Self:
        """The same rows on a device."""
        return type(self)(
            {k: {n: t.to(device) for n, t in v.items()} for k, v in self.values.items()},
            {k: t.to(device) for k, t in self.present.items()},
            {k: {n: t.to(device) for n, t in v.items()} for k, v in self.targets.items()},
            self.rows,
        )


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Arrays as tensors of the same memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def arrays(found: Mapping[str, Tensor]) -> Arrays:
    """Tensors as arrays of this machine's memory, floats of any size as float32."""
    kept = {n: t.detach() for n, t in found.items()}
    return {n: (t.float() if t.is_floating_point() else t).cpu().numpy() for n, t in kept.items()}


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
