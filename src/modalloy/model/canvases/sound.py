"""Recordings as patches of their log-mel spectrogram, all pitches in each."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from modalloy.model.canvases.canvas import MOST_PATCHES, Canvas, Patches
from modalloy.model.layers.gaussians import Range
from modalloy.model.trunks.logmel import in_length, log_mel
from modalloy.readers.audio import AudioReader

BANDS = 32
FRAME_S = 0.02
FRAMES = 2  # in a patch, or as many more as keep the longest recording within 64 patches
MIDDLE, SPREAD = -2.0, 4.0  # of log10 powers: -6 becomes -1, and 2 becomes 1


class SoundCanvas(Canvas):
    """Powers on a fixed scale: the loudest moment, which may be hidden, has no part in it."""

    span: ClassVar[Range] = Range(-1.0, 1.5, 0.03)

    def __init__(self, reader: AudioReader) -> None:
        self.rate_hz, self.length = reader.rate_hz, reader.length
        self.hop = max(1, round(FRAME_S * reader.rate_hz))
        self.n_fft = max(256, 1 << round(0.032 * reader.rate_hz).bit_length() - 1)
        self.frames = -(-reader.length // self.hop)
        self.steps = max(FRAMES, -(-self.frames // MOST_PATCHES))
        self.patches = -(-self.frames // self.steps)
        self.numbers = BANDS * self.steps

    def cut(self, values: Mapping[str, Tensor]) -> Patches:
        """Patches of time; frames after a row's end do not count."""
        mel = log_mel(
            values["wave"],
            values["length"],
            rate_hz=self.rate_hz,
            n_mels=BANDS,
            n_fft=self.n_fft,
            hop=self.hop,
        )
        x_BMF = ((mel.mel_BMF - MIDDLE) / SPREAD).clamp(self.span.low, self.span.high)
        missing = self.patches * self.steps - x_BMF.shape[2]
        x_BMF = F.pad(x_BMF, (0, missing))
        counts_BMF = F.pad(mel.mask_BF, (0, missing))[:, None].expand_as(x_BMF)
        parts = [t.unflatten(2, (-1, self.steps)).transpose(1, 2) for t in (x_BMF, counts_BMF)]
        return Patches(*(t.flatten(2) for t in parts))

    def begun(self, values: Mapping[str, Tensor], seen_B: Tensor) -> dict[str, Tensor]:
        """Recordings that end sooner."""
        length_B = torch.minimum(values["length"], seen_B * self.steps * self.hop)
        wave_BL = values["wave"] * in_length(length_B, values["wave"].shape[1])
        return {**values, "wave": wave_BL, "length": length_B}

    def whole(self, x_NP: np.ndarray) -> np.ndarray:
        """Log10 powers (32, F), low pitches first."""
        x_NMS = x_NP.reshape(len(x_NP), BANDS, self.steps)
        mel_MF = x_NMS.transpose(1, 0, 2).reshape(BANDS, -1)[:, : self.frames]
        return mel_MF * SPREAD + MIDDLE

    def scaled(self, mel_MF: np.ndarray) -> np.ndarray:
        """Log10 powers on the scale of patches."""
        return (mel_MF - MIDDLE) / SPREAD
