"""Recordings: one place a stretch of time, hidden as silence and rebuilt as log-mel frames."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.trunks.logmel import in_length, log_mel, whisper_scale
from modalloy.objectives.rebuilt.rebuilt import Patches, Rebuilt, at_hidden, spread_out
from modalloy.readers.audio import AudioReader

STRETCHES = 32  # of the longest recording that a column allows
FRAME_S = 0.01  # seconds between frames
BANDS = 32  # of pitch
MOMENTS = 2  # of a stretch, each the mean of some frames


class RebuiltAudio(Rebuilt):
    """Stretches of the recordings of one column (AudioMAE, Huang et al. 2022, 2207.06405; here all
    pitches of a moment are hidden together, since what is hidden are samples).
    """

    def __init__(self, reader: AudioReader, width: int) -> None:
        super().__init__()
        self.rate_hz = reader.rate_hz
        self.hop = max(1, round(FRAME_S * reader.rate_hz))
        self.n_fft = max(256, 1 << round(0.032 * reader.rate_hz).bit_length() - 1)
        frames = -(-reader.length // self.hop)
        self.frames = -(-frames // min(STRETCHES, frames))
        self.most = -(-frames // self.frames)
        self.moments = min(MOMENTS, self.frames)
        self.patches = Patches()
        self.guess = nn.Linear(width, BANDS * self.moments + 2)

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Stretches that begin within the recording."""
        size = self.frames * self.hop
        places = -(-values["wave"].shape[1] // size)
        return in_length(-(-values["length"] // size), places) & present[:, None]

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """Silent stretches."""
        wave_BL = values["wave"]
        hidden_BL = spread_out(hidden_BP, self.frames * self.hop, wave_BL.shape[1])
        return {**values, "wave": wave_BL.masked_fill(hidden_BL, 0.0)}

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P)."""
        x_NF = self.cut(values, z_BPE.shape[1])[hidden_BP]
        guess_NF = self.guess(z_BPE[hidden_BP])
        truth_NGF = self.patches.truth(x_NF.unsqueeze(1))
        return at_hidden(self.patches.cost(guess_NF.unsqueeze(1), truth_NGF), hidden_BP, z_BPE)

    @torch.no_grad()
    def cut(self, values: Mapping[str, Tensor], places: int) -> Tensor:
        """Log-mel frames of each stretch, a few moments of each band, (B, P, F)."""
        scale = {"rate_hz": self.rate_hz, "n_fft": self.n_fft, "hop": self.hop}
        mel_BMF = whisper_scale(log_mel(values["wave"], values["length"], n_mels=BANDS, **scale))
        missing = places * self.frames - mel_BMF.shape[2]
        mel_BMF = F.pad(mel_BMF, (0, missing), value=float(mel_BMF.min()))
        mel_BMF = F.adaptive_avg_pool1d(mel_BMF, places * self.moments)
        return mel_BMF.unflatten(2, (places, self.moments)).transpose(1, 2).flatten(2)
