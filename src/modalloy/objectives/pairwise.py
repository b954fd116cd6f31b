"""How alike vectors of the same row are, against those of other rows: InfoNCE and the sigmoid loss.

Both see n rows that have both columns, as unit vectors; row i of the one belongs to row i of the
other. What lacks one of them never comes here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def infonce(a_NS: Tensor, b_NS: Tensor, scale: Tensor) -> Tensor:
    """Each row is to find its own among all others, both ways round (CLIP, Radford et al. 2021,
    2103.00020).

    scale: 1 over the temperature. Zero where there is no row, or no other.
    """
    if not len(a_NS):
        return (a_NS.sum() + b_NS.sum()) * 0.0
    logits_NN = scale * a_NS @ b_NS.T
    own_N = torch.arange(len(a_NS), device=a_NS.device)
    return (F.cross_entropy(logits_NN, own_N) + F.cross_entropy(logits_NN.T, own_N)) / 2


def sigmoid(a_NS: Tensor, b_NS: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Every pair of rows is to be known as one row or as two (SigLIP, Zhai et al. 2023,
    2303.15343): a sum over pairs, a mean over rows.

    bias: added to all similarities, since most pairs are of two rows.
    """
    if not len(a_NS):
        return (a_NS.sum() + b_NS.sum() + bias) * 0.0
    logits_NN = scale * a_NS @ b_NS.T + bias
    sign_NN = 2.0 * torch.eye(len(a_NS), device=a_NS.device) - 1.0
    return -F.logsigmoid(sign_NN * logits_NN).sum() / len(a_NS)
