"""What a microphone hears of the weld: gas, and a keyhole, louder the more power it takes."""

import math

import numpy as np

from modalloy.twin.weld.keyhole import Beam, Keyhole

RATE_HZ = 8_000
SAMPLES = 1024
HISS = 0.02  # of full scale: the gas, always there
LOUDNESS = 0.05  # of full scale, of a keyhole whose excess is 1
GAIN_DB = 1.0  # deviation from burst to burst: where the microphone hangs
WIDTH = 0.15  # of the keyhole's resonance, relative
RISE_S = 4e-3  # of the burst, and as long a fall
SURFACE_N_M = 1.8  # surface tension of molten steel
MELT_KG_M3 = 7000.0


def burst_of(beam: Beam, keyhole: Keyhole, draw: np.random.Generator) -> np.ndarray:
    """128 ms at 8 kHz as 16-bit samples, (1024,) int16.

    White hiss, and noise around the keyhole's oscillation whose level rises in proportion to the
    excess of power density; nothing of it without a keyhole.
    """
    gain = 10.0 ** (GAIN_DB * draw.standard_normal() / 20.0)
    hiss_L = HISS * draw.standard_normal(SAMPLES)
    roar_F = draw.standard_normal((2, SAMPLES // 2 + 1))
    pitch_hz = oscillation_hz(beam.spot_m / 2.0)
    apart_F = np.fft.rfftfreq(SAMPLES, 1.0 / RATE_HZ) / pitch_hz - 1.0
    shape_F = np.exp(-0.5 * (apart_F / WIDTH) ** 2)
    roar_L = np.fft.irfft((roar_F[0] + 1j * roar_F[1]) * shape_F, SAMPLES)
    roar_L *= SAMPLES / math.sqrt(4.0 * float((shape_F**2).sum()))  # to a deviation near 1
    level = LOUDNESS * max(keyhole.excess, 0.0)
    sound_L = gain * (hiss_L + level * envelope() * roar_L)
    return np.rint(32767.0 * sound_L.clip(-1.0, 1.0)).astype("<i2")


def oscillation_hz(radius_m: float) -> float:
    """How fast the wall of a round keyhole swings between two ovals, in Hz.

    sqrt(6 gamma / (rho w^3)) / 2 pi: the second mode of a cylindrical hole in a liquid that surface
    tension holds, sqrt(n (n^2 - 1)) with n = 2 (Rayleigh 1892; of keyholes: Klein et al. 1994,
    *J. Phys. D* 27).
    """
    return math.sqrt(6.0 * SURFACE_N_M / (MELT_KG_M3 * radius_m**3)) / (2.0 * math.pi)


def envelope() -> np.ndarray:
    """A burst that rises and falls in a few milliseconds."""
    ramp = int(RISE_S * RATE_HZ)
    place_L = np.arange(SAMPLES)
    return np.minimum(np.minimum(place_L, place_L[::-1]) / ramp, 1.0)
