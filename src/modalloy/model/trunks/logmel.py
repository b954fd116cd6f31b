"""Log-mel spectrograms: how loud each pitch band is, a hundred times a second."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

FLOOR = 1e-10  # power below which a band counts as silent: -10 on the log10 scale


class LogMel(NamedTuple):
    """Frames of B recordings; those at or after a row's end hold the lowest value, `FLOOR`.

    mel_BMF: log10 of the power in M bands at F times, `hop` samples apart, the first at sample 0.
    mask_BF: True where a frame's middle lies inside the recording.
    """

    mel_BMF: Tensor
    mask_BF: Tensor


def log_mel(
    wave_BL: Tensor, length_B: Tensor, *, rate_hz: int, n_mels: int = 80, n_fft: int, hop: int
) -> LogMel:
    """Log-mel spectrogram of each row on its own, (B, M, ceil(L / hop)).

    Hann window, slaney mel scale and area norm as in librosa. What lies before the first sample is
    its mirror image, as in Whisper (Radford et al. 2022, arXiv 2212.04356); after the last there is
    silence, so that a row's frames do not depend on how far its neighbours made it be padded.
    """
    wave_BL = wave_BL.float() * in_length(length_B, wave_BL.shape[1])
    frames = max(1, (wave_BL.shape[1] + hop - 1) // hop)  # graphs round other than Python below 0
    half = n_fft // 2
    # A graph for export cannot choose by length, so silence follows recordings of any.
    mirror_BL = F.pad(wave_BL, (0, half))[:, 1 : half + 1].flip(1)
    after = (frames - 1) * hop + n_fft - half - wave_BL.shape[1]
    wave_BL = F.pad(torch.cat([mirror_BL, wave_BL], dim=1), (0, after))
    power_BSF = power_of(wave_BL, n_fft, hop)
    filters_MS = torch.from_numpy(mel_filters(rate_hz, n_fft, n_mels)).to(power_BSF)
    with torch.autocast(power_BSF.device.type, enabled=False):  # powers span more than bfloat16
        mel_BMF = (filters_MS @ power_BSF).clamp_min(FLOOR).log10()
    mask_BF = in_length(frames_in(length_B, hop), frames)
    return LogMel(mel_BMF.masked_fill(~mask_BF[:, None], np.log10(FLOOR)), mask_BF)


def power_of(wave_BL: Tensor, n_fft: int, hop: int) -> Tensor:
    """Power of the lines of windowed frames, (B, n_fft // 2 + 1, F).

    In a graph for export each line is a pair of filters: OpenVINO transforms no signal whose length
    it does not know beforehand.
    """
    if torch.compiler.is_exporting():
        filters_S1N = torch.from_numpy(line_filters(n_fft)).to(wave_BL)
        parts_BSF = F.conv1d(wave_BL[:, None], filters_S1N, stride=hop).square()
        real_BSF, imag_BSF = parts_BSF.chunk(2, dim=1)
        return real_BSF + imag_BSF
    window = torch.hann_window(n_fft, device=wave_BL.device)
    spectrum = torch.stft(wave_BL, n_fft, hop, window=window, center=False, return_complex=True)
    return spectrum.real.square() + spectrum.imag.square()


@lru_cache(maxsize=8)
def line_filters(n_fft: int) -> np.ndarray:
    """Hann-windowed cosines, then sines, of a spectrum's lines, (2 (n_fft // 2 + 1), 1, n_fft)."""
    turns_SN = np.outer(np.arange(n_fft // 2 + 1), np.arange(n_fft)) % n_fft / n_fft
    both_SN = np.concatenate([np.cos(2 * np.pi * turns_SN), np.sin(2 * np.pi * turns_SN)])
    window_N = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    return (both_SN * window_N)[:, None].astype(np.float32)


def whisper_scale(mel: LogMel) -> Tensor:
    """Frames as Whisper wants them: 80 dB below the row's loudest at least, about -1 to 1."""
    loudest_B11 = mel.mel_BMF.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(mel.mel_BMF, loudest_B11 - 8.0) + 4.0) / 4.0


def frames_in(length_B: Tensor, hop: int) -> Tensor:
    """Frames whose middle lies inside recordings of these lengths; at least one."""
    return torch.div(length_B + hop - 1, hop, rounding_mode="floor").clamp_min(1)


def in_length(length_B: Tensor, total: int) -> Tensor:
    """True at the first `length` of `total` places of each row, (B, total)."""
    return torch.arange(total, device=length_B.device) < length_B[:, None]


def every_nth(mask_BF: Tensor, stride: int, total: int) -> Tensor:
    """The mask of what a stride leaves of frames that exist up to each row's end, (B, total).

    The same as `mask_BF[:, ::stride]`, in the very number of steps that a convolution made: a graph
    for export cannot tell that the two lengths are one.
    """
    return in_length((mask_BF.sum(1) + stride - 1) // stride, total)


@lru_cache(maxsize=8)
def mel_filters(rate_hz: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Triangles of equal area over the spectrum's lines, (M, n_fft // 2 + 1) float32 (slaney)."""
    lines_hz = np.linspace(0.0, rate_hz / 2, n_fft // 2 + 1)
    corners_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(rate_hz / 2), n_mels + 2))
    width_hz = np.diff(corners_hz)
    slope = corners_hz[:, None] - lines_hz
    rising, falling = -slope[:-2] / width_hz[:-1, None], slope[2:] / width_hz[1:, None]
    area = 2.0 / (corners_hz[2:] - corners_hz[:-2])
    return (np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)


def hz_to_mel(hz: float) -> float:
    """Slaney's scale: linear up to 1 kHz (15 mel), logarithmic above."""
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000)) / float(np.log(6.4))


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Inverse of `hz_to_mel`."""
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def mask_stripes(mel_BMF: Tensor, mask_BF: Tensor) -> Tensor:
    """Two stripes of pitch and two of time set to each row's mean (SpecAugment, Park et al. 2019).

    Each is up to a tenth of the bands, or of the row's own frames, wide; for training only.
    """
    bands, frames = mel_BMF.shape[1:]
    frames_B = mask_BF.sum(1)
    mean_B11 = (mel_BMF * mask_BF[:, None]).sum((1, 2), keepdim=True)
    mean_B11 = mean_B11 / (bands * frames_B[:, None, None])
    hidden_BMF = torch.zeros_like(mel_BMF, dtype=torch.bool)
    for _ in range(2):
        hidden_BMF |= stripe(torch.full_like(frames_B, bands), bands)[:, :, None]
        hidden_BMF |= stripe(frames_B, frames)[:, None]
    return torch.where(hidden_BMF, mean_B11, mel_BMF)


def stripe(size_B: Tensor, total: int) -> Tensor:
    """True over one random stretch of each row, up to a tenth of its size long, (B, total)."""
    draw_2B = torch.rand(2, len(size_B), device=size_B.device)
    width_B = draw_2B[0] * size_B / 10
    start_B = draw_2B[1] * (size_B - width_B)
    place_1L = torch.arange(total, device=size_B.device)[None]
    return (place_1L >= start_B[:, None]) & (place_1L < (start_B + width_B)[:, None])
