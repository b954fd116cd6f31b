"""One linear map for each member of an ensemble."""

import math

import torch
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """K linear maps side by side, each for its own member; K = 1 is an ordinary linear map."""

    def __init__(self, members: int, width: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(width)
        self.weight_KDC = nn.Parameter(torch.empty(members, width, outputs).uniform_(-bound, bound))
        self.bias_KC = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, x_BKD: Tensor) -> Tensor:
        """(B, K, D) to (B, K, C)."""
        return torch.einsum("bkd,kdc->bkc", x_BKD, self.weight_KDC) + self.bias_KC
