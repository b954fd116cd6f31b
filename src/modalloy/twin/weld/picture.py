"""What a thermal camera sees of the weld from above: 64 x 64 grey levels, with its faults."""

import functools

import numpy as np

from modalloy.twin.weld.heat import Heat

PIXELS = 64
PIXEL_M = 0.15e-3
AHEAD_M = 2.4e-3  # from the sources to the picture's front edge; the weld runs to the right
WAVELENGTH_M = 3.9e-6
PLANCK_M_K = 1.438777e-2  # second constant of radiation, h c / k
FULL_C = 2000.0  # what fills a pixel: anything hotter looks the same
BLUR_PIXELS = 0.8  # deviation of the lens's point spread
AIM_PIXELS = 0.2  # deviation of where the camera points along the weld
GAIN = 0.003  # relative deviation from picture to picture
NOISE = 0.7  # grey levels, deviation in each pixel
ZERO_C = 273.15


def picture_of(heat: Heat, boils_c: float, draw: np.random.Generator) -> np.ndarray:
    """Grey levels (64, 64) as uint8: rows across the weld, columns along it, the front at right.

    Radiance by Planck's law at 3.9 um, blurred by the lens, read with noise, and cut off at the
    level of a black body of 2,000 C. No metal is hotter than boiling.
    """
    aim_pixels, gain = AIM_PIXELS * draw.standard_normal(), 1.0 + GAIN * draw.standard_normal()
    noise_PP = draw.standard_normal((PIXELS, PIXELS))
    along_P = AHEAD_M + PIXEL_M * (np.arange(1.0 - PIXELS, 1.0) + aim_pixels)
    across_H = PIXEL_M * (np.arange(PIXELS // 2) + 0.5)  # one half: both are alike
    rise_HP = heat.surface_rise(along_P, across_H[:, None])
    half_HP = radiance(np.minimum(rise_HP + heat.plate_c, boils_c))
    bright_PP = blurred(np.concatenate([half_HP[::-1], half_HP]))
    bright_PP *= 255.0 * gain / float(radiance(FULL_C))
    noise_PP *= NOISE
    bright_PP += noise_PP
    return np.rint(bright_PP.clip(0.0, 255.0)).astype(np.uint8)


def radiance(hot_c: np.ndarray | float) -> np.ndarray:
    """Planck's law at the camera's wavelength, in a unit of its own."""
    return 1.0 / np.expm1(PLANCK_M_K / (WAVELENGTH_M * (np.asarray(hot_c) + ZERO_C)))


def blurred(x_PP: np.ndarray) -> np.ndarray:
    """A Gaussian point spread along both sides; edges go on as they end."""
    spread_PP = spread()
    return spread_PP @ x_PP @ spread_PP.T


@functools.cache
def spread() -> np.ndarray:
    """How the lens spreads a row of pixels, (64, 64)."""
    place_P = np.arange(PIXELS)
    spread_PP = np.exp(-0.5 * ((place_P[:, None] - place_P) / BLUR_PIXELS) ** 2)
    spread_PP /= spread_PP.sum(axis=1, keepdims=True)
    spread_PP.flags.writeable = False
    return spread_PP
