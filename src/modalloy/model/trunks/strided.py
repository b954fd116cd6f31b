"""A learned front for sampled signals: strided convolutions to at most 64 steps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.layers.dropout import dropout
from modalloy.model.trunks.signal_features import extent

STEPS = 64  # at most, for one row
DROPOUT = 0.1


class StridedFront(nn.Module):
    """Convolutions that halve the steps until a row has at most 64, then residual dilated ones.

    A row leaves the halvings as soon as it is short enough: 30 cycles keep their 30 steps, 4096
    samples of vibration end as 64. So a row's steps depend on its own length and not on its batch.
    Dilated residual layers as in WaveNet and TCN (Bai et al. 2018, 1803.01271), not causal.
    batch_norm: norms of each channel over the steps that exist in a batch, which then answer by
    running figures; else LayerNorm over channels. Neither sees the padding.
    """

    def __init__(
        self, channels: int, length: int, width: int, layers: int, *, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.width, self.length = width, length
        self.entry = nn.Conv1d(channels, width, 7, padding=3)
        halvings = max(0, (-(-length // STEPS) - 1).bit_length())
        self.halvings = nn.ModuleList(
            Halving(width, batch_norm=batch_norm) for _ in range(halvings)
        )
        self.layers = nn.ModuleList(
            Dilated(width, 2**i, batch_norm=batch_norm) for i in range(layers)
        )

    def forward(self, x_BCL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Steps (B, T, d) and which of them exist (B, T).

        A graph for export cannot stop early or cut by what it sees: there all rows are as long as
        the longest may be, and T is 64.
        """
        whole = torch.compiler.is_exporting()
        if whole:
            missing = self.length - mask_BL.shape[1]
            x_BCL, mask_BL = F.pad(x_BCL, (0, missing)), F.pad(mask_BL, (0, missing))
        steps_B = extent(mask_BL).clamp_min(1)
        x_BdL = F.gelu(self.entry(x_BCL * mask_BL[:, None]))
        left_B = torch.ones_like(steps_B, dtype=torch.bool)
        x_BTd = x_BdL.new_zeros(x_BdL.shape[0], STEPS, self.width)
        mask_BT = mask_BL.new_zeros(x_BdL.shape[0], STEPS)
        for halving in [*self.halvings, None]:
            short_B = left_B & ((steps_B <= STEPS) | (halving is None))
            if whole:
                x_BTd = torch.where(short_B[:, None, None], fit(x_BdL.transpose(1, 2)), x_BTd)
                mask_BT = torch.where(short_B[:, None], fit(mask_BL), mask_BT)
            else:
                rows = short_B.nonzero().squeeze(1)
                x_BTd = x_BTd.index_copy(0, rows, fit(x_BdL.transpose(1, 2)[rows]))
                mask_BT = mask_BT.index_copy(0, rows, fit(mask_BL[rows]))
            left_B = left_B & ~short_B
            if halving is None or not (whole or left_B.any()):
                break
            x_BdL, mask_BL = halving(x_BdL, mask_BL)
            steps_B = (steps_B + 1) // 2
        longest = STEPS if whole else int(extent(mask_BT).amax().clamp_min(1))
        x_BTd, mask_BT = x_BTd[:, :longest], mask_BT[:, :longest]
        for layer in self.layers:
            x_BTd = layer(x_BTd, mask_BT)
        return x_BTd * mask_BT[..., None], mask_BT


def fit(x: Tensor) -> Tensor:
    """The first 64 steps of (B, L, ...), zero-padded to 64."""
    x = x[:, :STEPS]
    padding = (0, 0) * (x.ndim - 2) + (0, STEPS - x.shape[1])
    return F.pad(x, padding)


class Halving(nn.Module):
    """Half as many steps: a convolution with stride 2, norm and GELU."""

    def __init__(self, width: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.norm = StepNorm(width) if batch_norm else nn.LayerNorm(width)

    def forward(self, x_BdL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """(B, d, L) -> (B, d, ceil(L / 2)), with the mask of steps in which any sample exists."""
        x_BdL = self.conv(x_BdL * mask_BL[:, None])
        mask_BL = F.pad(mask_BL, (0, mask_BL.shape[1] % 2)).unflatten(1, (-1, 2)).any(2)
        z_BLd = normed(self.norm, x_BdL.transpose(1, 2), mask_BL)
        return F.gelu(z_BLd).transpose(1, 2), mask_BL


class Dilated(nn.Module):
    """Residual layer: norm, dilated convolution over five steps, GELU, linear map."""

    def __init__(self, width: int, dilation: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        self.norm = StepNorm(width) if batch_norm else nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
        self.out = nn.Linear(width, width)

    def forward(self, x_BTd: Tensor, mask_BT: Tensor) -> Tensor:
        """The same shape."""
        z_BTd = normed(self.norm, x_BTd, mask_BT) * mask_BT[..., None]
        z_BTd = F.gelu(self.conv(z_BTd.transpose(1, 2))).transpose(1, 2)
        return x_BTd + dropout(self.out(z_BTd), DROPOUT, self.training)


class StepNorm(nn.Module):
    """Batch norm of each channel over the steps that exist (Ioffe & Szegedy 2015, 1502.03167).

    A batch of one step alone stays as it is.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.batch = nn.BatchNorm1d(width)

    def forward(self, x_BTd: Tensor, mask_BT: Tensor) -> Tensor:
        """The same shape; what the mask hides is left as it is while training."""
        if not self.training:
            return self.batch(x_BTd.flatten(0, 1)).view_as(x_BTd)
        at_N = mask_BT.flatten().nonzero().squeeze(1)
        x_Nd = x_BTd.flatten(0, 1)
        if len(at_N) < 2:
            return x_BTd
        return x_Nd.index_copy(0, at_N, self.batch(x_Nd[at_N]).to(x_Nd.dtype)).view_as(x_BTd)


def normed(norm: nn.Module, x_BTd: Tensor, mask_BT: Tensor) -> Tensor:
    """Steps through a norm, of which one over the batch must know which of them exist."""
    return norm(x_BTd, mask_BT) if isinstance(norm, StepNorm) else norm(x_BTd)
