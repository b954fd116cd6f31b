"""All columns of a row at once: the volume that their vectors span (GRAM, Cicchetti et al. 2024,
2412.11959).

k unit vectors span a parallelotope whose volume is the root of the determinant of their inner
products: 0 where they all say the same, 1 where they have nothing in common. Unlike the paper a row
may lack columns: those that it lacks do not span anything, and do not count. Fewer vectors span
more, so that volumes are compared among rows that have the same columns.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 1e-8  # determinant below which the root's gradient would be without bound


def volumes(z_NKS: Tensor, present_NK: Tensor) -> Tensor:
    """The volume that the present ones of each row's K unit vectors span, (N,)."""
    both_NKK = present_NK.unsqueeze(2) & present_NK.unsqueeze(1)
    return root(with_ones(z_NKS @ z_NKS.transpose(1, 2), both_NKK))


def gram(anchor_NS: Tensor, others_NKS: Tensor, present_NK: Tensor, scale: Tensor) -> Tensor:
    """An anchor's vector is to span less with its own row's other vectors than with those of
    another row that has the same columns, and the other way round.

    present_NK: which of the other vectors a row has; every row here has at least one. A mean over
    the rows that are compared with any other, see `compared`; zero where there is none.
    """
    like_NN = compared(present_NK)
    known_N = like_NN.any(1)
    if not known_N.any():
        return (anchor_NS.sum() + others_NKS.sum() + scale) * 0.0
    own_N = torch.arange(len(anchor_NS), device=anchor_NS.device)
    like_NN[own_N, own_N] = True
    logits_NN = -scale * across(anchor_NS, others_NKS, present_NK)
    logits_NN = logits_NN.masked_fill(~like_NN, float("-inf"))
    both = [F.cross_entropy(z[known_N], own_N[known_N]) for z in (logits_NN, logits_NN.T)]
    return (both[0] + both[1]) / 2


def compared(present_NK: Tensor) -> Tensor:
    """Which rows have the same columns as each row, itself left out, (N, N) bool."""
    like_NN = (present_NK.unsqueeze(1) == present_NK.unsqueeze(0)).all(2)
    return like_NN.fill_diagonal_(False)


def across(anchor_NS: Tensor, others_NKS: Tensor, present_NK: Tensor) -> Tensor:
    """The volume of row i's anchor with row j's other vectors, (N, N)."""
    count, more = present_NK.shape
    inner_NKK = others_NKS @ others_NKS.transpose(1, 2)
    both_NKK = present_NK.unsqueeze(2) & present_NK.unsqueeze(1)
    inner_NKK = with_ones(inner_NKK, both_NKK)
    side_NNK = torch.einsum("is,jks->ijk", anchor_NS, others_NKS) * present_NK.to(anchor_NS.dtype)
    whole = inner_NKK.expand(count, count, more, more)
    top = torch.cat([torch.ones_like(side_NNK[..., :1]), side_NNK], dim=2).unsqueeze(2)
    rest = torch.cat([side_NNK.unsqueeze(3), whole], dim=3)
    return root(torch.cat([top, rest], dim=2))


def with_ones(inner_NKK: Tensor, both_NKK: Tensor) -> Tensor:
    """Inner products with those of absent vectors as though these stood upright on all others,
    which leaves the determinant that of the present ones; every vector has length 1.
    """
    count = inner_NKK.shape[1]
    eye_KK = torch.eye(count, dtype=inner_NKK.dtype, device=inner_NKK.device)
    return torch.where(both_NKK, inner_NKK, 0.0) * (1.0 - eye_KK) + eye_KK


def root(inner: Tensor) -> Tensor:
    """The root of the determinant of matrices (..., K, K)."""
    return torch.linalg.det(inner).clamp_min(SMALLEST).sqrt()
