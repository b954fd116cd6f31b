"""Numbers of names of all category columns in, one vector a column out."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from modalloy.readers.category import CategoryReader

UNKNOWN = 0.01  # chance that a seen name is shown as unknown while training


class CategoryEmbedding(nn.Module):
    """One table of vectors for all N columns; row 0 of each column means 'unknown'.

    While training, a name is shown as unknown with chance `UNKNOWN`, so that the vector is learned
    even where all names of the training rows are known.

    Where readers know what the rows of each name answered, a linear map of that is added. While
    training a row sees what the other folds' rows did, afterwards what all did.
    """

    def __init__(self, readers: Sequence[CategoryReader], size: int) -> None:
        super().__init__()
        sizes = [len(r.names) + 1 for r in readers]
        starts_N = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("starts_N", starts_N)
        self.vectors = nn.Embedding(sum(sizes), size)
        nn.init.normal_(self.vectors.weight, std=0.1)
        answers = max(r.answers for r in readers)
        if answers:
            blocks = [padded(r.means, answers) for r in readers]
            means_FKT = torch.from_numpy(np.concatenate(blocks, axis=1))
            self.register_buffer("means_FKT", means_FKT, persistent=False)  # the readers keep it
            self.weight_NTd = nn.Parameter(torch.randn(len(readers), answers, size) * 0.1)
        self.answers = answers

    def forward(self, x_BN: Tensor, fold_B: Tensor | None = None) -> Tensor:
        """(B, N) int64 -> (B, N, d).

        fold_B: the fold that each training row is in; looked at while training alone.
        """
        if self.training:
            x_BN = x_BN.masked_fill(torch.rand(x_BN.shape, device=x_BN.device) < UNKNOWN, 0)
        at_BN = x_BN + self.starts_N
        z_BNd = self.vectors(at_BN)
        if not self.answers:
            return z_BNd
        if self.training:
            assert fold_B is not None, "rows that are learned from must not see their own answers"
            means_BNT = self.means_FKT[fold_B.unsqueeze(1), at_BN]
        else:
            means_BNT = self.means_FKT[-1][at_BN]
        return z_BNd + torch.einsum("bnt,ntd->bnd", means_BNT, self.weight_NTd)


def padded(means: np.ndarray, answers: int) -> np.ndarray:
    """Zeros behind the answers of a column that knows of fewer than others."""
    return np.pad(means, ((0, 0), (0, 0), (0, answers - means.shape[2])))
