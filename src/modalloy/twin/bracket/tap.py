"""The sound of a tap on the frame: decaying modes, struck at one place and heard at another."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from modalloy.twin.bracket.frame import Modes

RATE_HZ = 16_000
SAMPLES = 4_000  # a quarter of a second
HIGHEST_HZ = 7_500.0  # below half the rate, so that no mode is heard as another
CONTACT_S = 2e-4  # that the hammer touches: a hard tip
IMPULSE_NS = 0.05  # of a usual tap
UNEVEN = 0.2  # deviation of the logarithm of taps, which a hand does not strike alike
FULL_SCALE_M_S = 3.0  # velocity that the largest sample stands for
NOISE = 0.0005  # deviation of the recorder's noise, as a share of full scale
BLOCK = 64  # samples that are worked out one by one; the others follow by multiplying


class Tap(NamedTuple):
    """struck_F, heard_F: directions among the frame's freedoms, unit vectors."""

    struck_F: np.ndarray
    heard_F: np.ndarray


def tap_sound(found: Modes, tap: Tap, *, damping: float, seed: int) -> np.ndarray:
    """What a vibrometer, or a microphone close to the tube, records after the hammer left; (L,)
    in shares of full scale.

    Velocity of mode k after an impulse: amplitude is the product of its shape at both places,
    and it decays by `damping` times its angular frequency (Ewins 2000, chapter 2). The hammer's
    force is half a sine in time, which high modes hardly feel. From `seed`: strength of the tap
    and noise.
    """
    draw = np.random.default_rng(seed)
    impulse_ns = IMPULSE_NS * np.exp(UNEVEN * draw.normal())
    heard_K = found.frequency_hz_K < HIGHEST_HZ
    omega_K = 2.0 * np.pi * found.frequency_hz_K[heard_K]
    shape_FK = found.shape_FK[:, heard_K]
    velocity_K = impulse_ns * (tap.struck_F @ shape_FK) * (tap.heard_F @ shape_FK)
    velocity_K = velocity_K * felt(omega_K, CONTACT_S)
    swing = np.sqrt(1.0 - damping**2)
    root_K = omega_K * (1j * swing - damping)
    wave_L = decaying(velocity_K * (1.0 + 1j * damping / swing), root_K, SAMPLES, RATE_HZ)
    wave_L /= FULL_SCALE_M_S
    return np.clip(wave_L + NOISE * draw.normal(size=SAMPLES), -1.0, 1.0)


def felt(omega_K: np.ndarray, contact_s: float) -> np.ndarray:
    """How much of an impulse that lasts for half a sine an undamped mode keeps, against one that
    lasts no time: cos(w T / 2) / (1 - (w T / pi)^2) (Clough and Penzien 2003, chapter 5)."""
    turns_K = omega_K * contact_s / np.pi
    near_K = np.abs(turns_K - 1.0) < 1e-6
    apart_K = np.where(near_K, 0.0, turns_K)
    found_K = np.cos(apart_K * np.pi / 2.0) / (1.0 - apart_K**2)
    return np.where(near_K, np.pi / 4.0, found_K)


def decaying(
    amplitude_K: np.ndarray, root_K: np.ndarray, samples: int, rate_hz: float
) -> np.ndarray:
    """The sum of amplitude times the real part of exp(root t), (L,).

    A power of exp(root / rate) is the product of one below BLOCK and one of whole blocks.
    """
    blocks = -(-samples // BLOCK)
    short_KB = np.exp(root_K[:, None] * np.arange(BLOCK) / rate_hz)
    long_KB = np.exp(root_K[:, None] * (BLOCK * np.arange(blocks)) / rate_hz)
    return ((amplitude_K[:, None] * long_KB).T @ short_KB).real.ravel()[:samples]


def write_wav(path: Path, wave_L: np.ndarray) -> None:
    """16 bits a sample, one channel."""
    whole_L = np.rint(wave_L * 32767.0).astype(np.int16)
    soundfile.write(path, whole_L, RATE_HZ, subtype="PCM_16", format="WAV")
