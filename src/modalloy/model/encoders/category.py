"""Numbers of names of all category columns in, one vector a column out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modalloy.readers.category import CategoryReader

UNKNOWN = 0.01  # chance that a seen name is shown as unknown while training


class CategoryEmbedding(nn.Module):
    """One table of vectors for all N columns; row 0 of each column means 'unknown'.

    While training, a name is shown as unknown with chance `UNKNOWN`, so that the vector is learned
    even where all names of the training rows are known.
    """

    def __init__(self, readers: Sequence[CategoryReader], size: int) -> None:
        super().__init__()
        sizes = [len(r.names) + 1 for r in readers]
        starts_N = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("starts_N", starts_N)
        self.vectors = nn.Embedding(sum(sizes), size)
        nn.init.normal_(self.vectors.weight, std=0.1)

    def forward(self, x_BN: Tensor) -> Tensor:
        """(B, N) int64 -> (B, N, d)."""
        if self.training:
            x_BN = x_BN.masked_fill(torch.rand(x_BN.shape, device=x_BN.device) < UNKNOWN, 0)
        return self.vectors(x_BN + self.starts_N)
