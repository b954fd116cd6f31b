"""Sampled signals: one place a stretch of all channels, hidden as a flat line."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.layers.scale import Standardise
from modalloy.objectives.rebuilt.rebuilt import (
    Patches,
    Rebuilt,
    at_hidden,
    cut,
    spread_out,
    squared,
    standardised,
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
        self.patches = Patches(reader.channels)
        self.guess = nn.Linear(width, reader.channels * (self.points + 2))
        fast = self.size >= LEAST
        self.bands = Standardise(reader.channels * BANDS) if fast else None
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
        x_NCS, z_NE = cut(values["x"], self.size)[hidden_BP], z_BPE[hidden_BP]
        points_NCF = x_NCS
        if self.points < self.size:
            points_NCF = F.adaptive_avg_pool1d(x_NCS, self.points)
        guess_NCF = self.guess(z_NE).unflatten(1, (self.channels, -1))
        cost_N = self.patches.cost(guess_NCF, self.patches.truth(points_NCF))
        if self.guess_bands is not None and self.bands is not None:
            truth_NF = standardised(self.bands, band_powers(x_NCS).flatten(1))
            cost_N = (cost_N + squared(self.guess_bands(z_NE) - truth_NF).mean(1)) / 2
        return at_hidden(cost_N, hidden_BP, z_BPE)


def band_powers(x_NCS: Tensor) -> Tensor:
    """Logarithm of the power of stretches in bands of like width, (N, C, BANDS)."""
    centred = x_NCS - x_NCS.mean(2, keepdim=True)
    window_S = torch.hann_window(x_NCS.shape[2], device=x_NCS.device)
    with torch.autocast(x_NCS.device.type, enabled=False):
        lines = torch.fft.rfft(centred.float() * window_S, norm="ortho")[..., 1:]
    power = lines.real.square() + lines.imag.square()
    return (F.adaptive_avg_pool1d(power, BANDS) + FLOOR).log()
