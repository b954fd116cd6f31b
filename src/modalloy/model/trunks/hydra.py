"""Which of competing random convolutions fits each sample best, counted over a row: Hydra.

Dempster, Schmidt & Webb 2023 (2203.13652), as the authors describe it and their code computes it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.trunks.signal_features import extent

TAPS = 9  # weights of a kernel
MEMBERS = 8  # kernels that compete in a group
GROUPS = 32  # for the samples, and as many for their differences
MOST_CHANNELS = 8  # that one group adds up


class Hydra(nn.Module):
    """Groups of eight random kernels at dilations 1, 2, 4, ...; counts of the best and the worst.

    channels: of a row. longest: samples of the longest training row, to which dilations go. For
    every sample the kernel of each group with the largest output gets that output, and the one with
    the smallest gets 1; half of the groups see differences of neighbouring samples. Weights are
    drawn from torch's generator, of zero mean and unit absolute sum. `fit` learns nothing here.
    """

    weight_DSKn: Tensor
    channels_DSGJ: Tensor

    def __init__(self, channels: int, longest: int) -> None:
        super().__init__()
        self.channels = channels
        most = int(np.log2(max(longest - 1, TAPS - 1) / (TAPS - 1)))
        self.dilations = [2**i for i in range(most + 1)]
        weight_DSKn = torch.randn(len(self.dilations), 2, GROUPS * MEMBERS, TAPS)
        weight_DSKn = weight_DSKn - weight_DSKn.mean(-1, keepdim=True)
        weight_DSKn = weight_DSKn / weight_DSKn.abs().sum(-1, keepdim=True)
        self.register_buffer("weight_DSKn", weight_DSKn)
        many = min(max(channels // 2, 1), MOST_CHANNELS)
        order = torch.rand(len(self.dilations), 2, GROUPS, channels).argsort(-1)
        self.register_buffer("channels_DSGJ", order[..., :many])

    @property
    def features(self) -> int:
        """Numbers that a row becomes."""
        return len(self.dilations) * 2 * GROUPS * MEMBERS * 2

    def forward(self, x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
        """Square roots of the counts, (B, F); samples after a row's last one do not count."""
        end_B = extent(mask_BL).clamp_min(1)
        places_L = torch.arange(mask_BL.shape[1], device=x_BCL.device)
        found = []
        for seen, steps_BCL in enumerate((x_BCL, F.pad(x_BCL.diff(), (0, 1)))):
            inside_B1L = (places_L < end_B[:, None] - seen)[:, None]
            steps_BCL = steps_BCL * inside_B1L
            for at, dilation in enumerate(self.dilations):
                z_BGL = self.added_up(steps_BCL, self.channels_DSGJ[at, seen])
                weight_GMn = self.weight_DSKn[at, seen].unflatten(0, (GROUPS, MEMBERS))
                found.append(competition(convolve(z_BGL, weight_GMn, dilation), inside_B1L))
        return torch.cat(found, 1).clamp_min(0).sqrt()

    def added_up(self, x_BCL: Tensor, channels_GJ: Tensor) -> Tensor:
        """Each group's channels as one, (B, G, L): their weights are the same."""
        if self.channels == 1:
            return x_BCL
        z_BGL = x_BCL[:, channels_GJ[:, 0]]
        for place in range(1, channels_GJ.shape[1]):
            z_BGL = z_BGL + x_BCL[:, channels_GJ[:, place]]
        return z_BGL


def convolve(x_BGL: Tensor, weight_GMn: Tensor, dilation: int) -> Tensor:
    """Every kernel over its group's samples, zeros around, (B, G, M, L).

    Summed in one order whatever the batch: no competition turns out otherwise at a tie.
    """
    length, reach = x_BGL.shape[-1], (TAPS - 1) // 2 * dilation
    x_BG1l = F.pad(x_BGL, (reach, reach))[:, :, None]
    out_BGML = weight_GMn[..., 0, None] * x_BG1l[..., :length]
    for tap in range(1, TAPS):
        start = tap * dilation
        out_BGML = out_BGML + weight_GMn[..., tap, None] * x_BG1l[..., start : start + length]
    return out_BGML


def competition(out_BGML: Tensor, inside_B1L: Tensor) -> Tensor:
    """Added outputs of each sample's best kernel, and counts of its worst, (B, 2 G M)."""
    best_BGL, best_at_BGL = out_BGML.max(2)
    worst_at_BGL = out_BGML.min(2)[1]  # argmin takes six times as long
    one_BGL = inside_B1L.to(out_BGML.dtype).expand_as(best_BGL)
    members_M1 = torch.arange(out_BGML.shape[2], device=out_BGML.device)[:, None]
    sums = []
    for at_BGL, amount_BGL in ((best_at_BGL, best_BGL * one_BGL), (worst_at_BGL, one_BGL)):
        own_BGML = (at_BGL[:, :, None] == members_M1).to(amount_BGL.dtype)
        sums.append((own_BGML @ amount_BGL[..., None]).flatten(1))
    return torch.cat(sums, 1)
