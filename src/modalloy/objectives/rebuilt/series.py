"""Sampled signals: one place a stretch of all channels, hidden as a flat line."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.objectives.rebuilt.rebuilt import (
    Rebuilt,
    cut,
    patch_loss,
    patch_truth,
    spread_out,
    squared,
)
from modalloy.readers.series import SeriesReader

STRETCHES = 32  # of the longest series that a column allows
POINTS = 8  # that each stretch is rebuilt as, each the mean of some samples
BANDS = 8  # of the spectrum of a stretch
LEAST = 2 * BANDS  # samples of a stretch from which its spectrum is rebuilt too
FLOOR = 1e-4  # power of a band that counts as none


class RebuiltSeries(Rebuilt):
    """Stretches of the series of one column, as standardised as its reader leaves them.

    Rebuilt is the shape of each channel at a few points, its mean and deviation, and for stretches
    of 16 samples and more the logarithm of its power in eight bands: of a fast vibration no single
    sample can be known, but how strong it is at which frequency can.
    """

    def __init__(self, reader: SeriesReader, length: int, width: int) -> None:
        super().__init__()
        longest = min(reader.longest or length, length)
        self.size = -(-longest // min(STRETCHES, longest))
        self.most = -(-length // self.size)
        self.points = min(POINTS, self.size)
        self.channels = reader.channels
        self.guess = nn.Linear(width, reader.channels * (self.points + 2))
        fast = self.size >= LEAST
        self.guess_bands = nn.Linear(width, reader.channels * BANDS) if fast else None

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Stretches with samples."""
        mask_B1L = values["mask"].unsqueeze(1)
        return cut(mask_B1L.float(), self.size).flatten(2).amax(2).bool() & present[:, None]

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """Zeros, each channel's centre, in hidden stretches."""
        hidden_BL = spread_out(hidden_BP, self.size, values["x"].shape[2])
        return {**values, "x": values["x"].masked_fill(hidden_BL[:, None], 0.0)}

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P)."""
        x_BPCS = cut(values["x"], self.size)
        points_BPCF = F.adaptive_avg_pool1d(x_BPCS.flatten(0, 2).unsqueeze(1), self.points)
        truth_BPCF = patch_truth(points_BPCF.view(-1, self.channels, self.points))
        truth_BPCF = truth_BPCF.view(*x_BPCS.shape[:3], -1)
        guess_BPCF = self.guess(z_BPE).unflatten(2, (self.channels, -1))
        cost_BPC = patch_loss(guess_BPCF.flatten(1, 2), truth_BPCF.flatten(1, 2))
        cost_BP = cost_BPC.unflatten(1, (-1, self.channels)).mean(2)
        if self.guess_bands is None:
            return cost_BP
        guess_BPCF = self.guess_bands(z_BPE).unflatten(2, (self.channels, BANDS))
        return (cost_BP + squared(guess_BPCF - band_powers(x_BPCS)).mean((2, 3))) / 2


def band_powers(x_BPCS: Tensor) -> Tensor:
    """Logarithm of the power of stretches in bands of like width, (B, P, C, BANDS)."""
    centred = x_BPCS - x_BPCS.mean(3, keepdim=True)
    window_S = torch.hann_window(x_BPCS.shape[3], device=x_BPCS.device)
    with torch.autocast(x_BPCS.device.type, enabled=False):
        lines = torch.fft.rfft(centred.float() * window_S, norm="ortho")[..., 1:]
    power = lines.real.square() + lines.imag.square()
    pooled = F.adaptive_avg_pool1d(power.flatten(0, 2).unsqueeze(1), BANDS).squeeze(1)
    return (pooled + FLOOR).log().view(*x_BPCS.shape[:3], BANDS)
