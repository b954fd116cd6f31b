"""Rows that were neighbours before a projection are to be neighbours after it (STRUCTURE, Gröger et
al. 2025, 2506.16895).

With few pairs a projection can fit all of them and lose what a pretrained encoder knew. So the
similarities between the rows of a batch, as shares of each row's, stay as they were: of direct
neighbours, of neighbours' neighbours, and so on.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.1
TINY = 1e-12


def neighbours(before_NF: Tensor, after_NS: Tensor, *, levels: int) -> Tensor:
    """The mean Jensen-Shannon divergence between the rows' shares of similarity before and after,
    of level l divided by l; zero of fewer than two rows.

    The divergence is the usual one, bounded by log 2; the authors' code takes each against their
    mean the other way round, which is not.
    """
    if len(before_NF) < 2:
        return after_NS.sum() * 0.0
    before_NN, after_NN = shares(before_NF.detach()), shares(after_NS)
    total = after_NS.new_zeros(())
    p_NN, q_NN = before_NN, after_NN
    for level in range(1, levels + 1):
        total = total + divergence(p_NN, q_NN).mean() / level
        p_NN, q_NN = p_NN @ before_NN, q_NN @ after_NN
    return total / levels


def shares(x_NF: Tensor) -> Tensor:
    """How much of a row's similarity each row has, (N, N): rows add up to 1."""
    x_NF = F.normalize(x_NF, dim=1)
    x_NF = x_NF - x_NF.mean(0)
    return torch.softmax(x_NF @ x_NF.T / TEMPERATURE, dim=1)


def divergence(p_NN: Tensor, q_NN: Tensor) -> Tensor:
    """Jensen-Shannon divergence of each row, (N,), in nats."""
    log_p, log_q = (p_NN + TINY).log(), (q_NN + TINY).log()
    log_m = ((p_NN + q_NN) / 2 + TINY).log()
    return ((p_NN * (log_p - log_m)).sum(1) + (q_NN * (log_q - log_m)).sum(1)) / 2
