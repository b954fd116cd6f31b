"""Shares of positive values after fixed convolutions: MiniRocket, with nothing learned but biases.

Dempster, Schmidt & Webb 2021 (2012.08791), as the authors describe it; rows of unequal lengths and
several channels are read as in their later code.
"""

from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.trunks.signal_features import extent

KERNELS = tuple(combinations(range(9), 3))  # where each of 84 kernels has weight 2; elsewhere -1
REACH = 8  # samples from a kernel's first weight to its last, undilated
PER_KERNEL = 119  # biases of each kernel over all its dilations: 9,996 numbers in all
MOST_DILATIONS = 32
MOST_CHANNELS = 9  # that one kernel adds up
GOLDEN = (5**0.5 + 1) / 2


class MiniRocket(nn.Module):
    """84 kernels of nine weights at several dilations; of each bias the share of samples above it.

    channels: of a row. longest: samples of the longest training row, to which dilations spread.
    Kernels of several channels add some of them up, drawn once at random from torch's generator.
    Every second pair of kernel and dilation looks at all samples of a row, the others only where
    nothing outside the row is seen. `fit` sets the biases; before it all are 0.
    """

    channels_DKJ: Tensor
    bias_KF: Tensor

    def __init__(self, channels: int, longest: int) -> None:
        super().__init__()
        self.channels = channels
        self.dilations, self.counts = spread_dilations(longest)
        self.register_buffer("channels_DKJ", draw_channels(channels, len(self.dilations)))
        self.register_buffer("bias_KF", torch.zeros(len(KERNELS), sum(self.counts)))

    @property
    def features(self) -> int:
        """Numbers that a row becomes."""
        return self.bias_KF.numel()

    def forward(self, x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
        """Shares of samples above each bias, (B, F) in 0..1; samples after a row's last count not.

        Each number is a sum in one order, whatever the batch: no share flips at a tie.
        """
        end_B = extent(mask_BL).clamp_min(1)
        x_BCL = x_BCL * inside(end_B, mask_BL.shape[1])[:, None]
        one_L = x_BCL.new_ones(mask_BL.shape[1])
        shares = []
        biases = self.bias_KF.split(self.counts, 1)
        for at, (dilation, bias_Kf) in enumerate(zip(self.dilations, biases, strict=True)):
            z_BKL, valid_BKL = self.convolved(x_BCL, end_B, at, dilation)
            z_BKL = z_BKL.masked_fill(~valid_BKL, -torch.inf)
            count_BK1 = valid_BKL.sum(-1, keepdim=True)
            # A product with ones adds up several times as fast as `sum` of true and false.
            above = [(z_BKL > b_K[:, None]).to(z_BKL.dtype) @ one_L for b_K in bias_Kf.unbind(1)]
            shares.append(torch.stack(above, -1) / count_BK1)
        return torch.cat(shares, -1).flatten(1)

    def convolved(
        self, x_BCL: Tensor, end_B: Tensor, at: int, dilation: int
    ) -> tuple[Tensor, Tensor]:
        """Outputs of every kernel at one dilation, and which of them count, both (B, 84, L)."""
        reach = REACH // 2 * dilation
        places_L = torch.arange(x_BCL.shape[-1], device=x_BCL.device)
        whole_BL = places_L < end_B[:, None]
        within_BL = (places_L >= reach) & (places_L < end_B[:, None] - reach)
        # A row that is no longer than the kernel is seen whole.
        within_BL = within_BL | (whole_BL & (end_B <= 2 * reach)[:, None])
        padded_K = (torch.arange(len(KERNELS), device=x_BCL.device) + at) % 2 == 0
        valid_BKL = torch.where(padded_K[:, None], whole_BL[:, None], within_BL[:, None])
        if self.channels == 1:  # all kernels read the same
            return convolve(x_BCL, dilation), valid_BKL
        return convolve(self.added_up(x_BCL, at), dilation), valid_BKL

    def added_up(self, x_BCL: Tensor, at: int) -> Tensor:
        """Each kernel's channels as one, (B, 84, L): equal weights, so added before they weigh."""
        x_BCL = F.pad(x_BCL, (0, 0, 0, 1))  # the last is no channel
        z_BKL = x_BCL[:, self.channels_DKJ[at, :, 0]]
        for place in range(1, self.channels_DKJ.shape[2]):
            z_BKL = z_BKL + x_BCL[:, self.channels_DKJ[at, :, place]]
        return z_BKL

    @torch.no_grad()
    def fit(self, x_NCL: Tensor, mask_NL: Tensor, generator: torch.Generator) -> None:
        """Biases: quantiles of each kernel's output on one training row, drawn for it at random."""
        end_N = extent(mask_NL).clamp_min(1)
        x_NCL = F.pad(x_NCL * inside(end_N, mask_NL.shape[1])[:, None], (0, 0, 0, 1))
        start = done = 0
        for at, (dilation, count) in enumerate(zip(self.dilations, self.counts, strict=True)):
            rows_K = torch.randint(len(x_NCL), (len(KERNELS),), generator=generator)
            rows_K = rows_K.to(x_NCL.device)
            x_KJL = x_NCL[rows_K[:, None], self.channels_DKJ[at]]
            out_KL = convolve(x_KJL.sum(1)[None], dilation)[0]
            for kernel, end in enumerate(end_N[rows_K].tolist()):
                numbers_f = torch.arange(done + 1, done + count + 1, dtype=torch.float64)
                levels_f = (numbers_f * GOLDEN % 1).to(out_KL)
                found_f = out_KL[kernel, :end].quantile(levels_f)
                self.bias_KF[kernel, start : start + count] = found_f
                done += count
            start += count


def convolve(x_BKL: Tensor, dilation: int) -> Tensor:
    """Every kernel over its own samples (or all over the same, K = 1), zeros around, (B, 84, L)."""
    length = x_BKL.shape[-1]
    x_BKl = F.pad(x_BKL, (REACH // 2 * dilation, REACH // 2 * dilation))
    places_9 = torch.arange(REACH + 1)
    heavy_K9 = (torch.tensor(KERNELS)[:, :, None] == places_9).any(1)
    weight_9K1 = torch.where(heavy_K9, 2.0, -1.0).to(x_BKL).T[..., None]
    out_BKL = weight_9K1[0] * x_BKl[..., :length]
    for place in range(1, REACH + 1):
        start = place * dilation
        out_BKL = out_BKL + weight_9K1[place] * x_BKl[..., start : start + length]
    return out_BKL


def spread_dilations(longest: int) -> tuple[list[int], list[int]]:
    """Dilations from 1 to where a kernel spans the longest row, spread by powers of two, and how
    many biases each kernel has at each of them."""
    most = np.log2(max(longest - 1, REACH) / REACH)
    spread = np.logspace(0, most, MOST_DILATIONS, base=2).astype(int)
    dilations, often = np.unique(spread, return_counts=True)
    counts = (often * (PER_KERNEL / MOST_DILATIONS)).astype(int)
    counts[: PER_KERNEL - counts.sum()] += 1
    return dilations.tolist(), counts.tolist()


def draw_channels(channels: int, dilations: int) -> Tensor:
    """Channels that each kernel adds up at each dilation, (dilations, 84, at most 9) int64.

    How many is drawn as a power of two is, so that few are likely; the number after the last
    channel's stands for none.
    """
    most = min(channels, MOST_CHANNELS)
    draws_DK = torch.rand(dilations, len(KERNELS))
    many_DK = torch.exp2(draws_DK * float(np.log2(most + 1))).long()
    order_DKC = torch.rand(dilations, len(KERNELS), channels).argsort(-1)[..., :most]
    return torch.where(torch.arange(most) < many_DK[..., None], order_DKC, channels)


def inside(end_B: Tensor, length: int) -> Tensor:
    """Which of so many samples lie before each row's end, (B, L)."""
    return torch.arange(length, device=end_B.device) < end_B[:, None]
