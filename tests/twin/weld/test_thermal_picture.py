"""The camera: what saturates, what a hotter weld looks like, and what only noise changes."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from modalloy.twin.weld import picture
from modalloy.twin.weld.keyhole import Beam, heat_of, keyhole_of
from modalloy.twin.weld.metals import METALS

BEAM = Beam(1000.0, 0.02, 20.0, 0.7e-3, "stainless", 0.6, 1.0)
MELTS_C, BOILS_C = METALS["stainless"].melts_c, METALS["stainless"].boils_c


def seen(beam: Beam, seed: int = 0) -> np.ndarray:
    heat = heat_of(beam, keyhole_of(beam))
    return picture.picture_of(heat, BOILS_C, np.random.default_rng(seed))


def test_a_picture_is_64_by_64_grey_levels() -> None:
    levels_PP = seen(BEAM)
    assert levels_PP.shape == (64, 64)
    assert levels_PP.dtype == np.uint8


def test_the_hottest_metal_saturates_and_cold_plate_is_black() -> None:
    levels_PP = seen(BEAM)
    assert (levels_PP == 255).sum() > 20
    assert levels_PP[:6].max() <= 5
    assert levels_PP[:, -1].max() <= 5


def test_the_radiance_is_plancks() -> None:
    """1,800 K over 1,200 K at 3.9 um: (exp(c2 / 1200 L) - 1) / (exp(c2 / 1800 L) - 1)."""
    warm, hot = picture.radiance(np.array([1200.0, 1800.0]) - 273.15)
    assert hot / warm == pytest.approx((np.exp(3.07431) - 1) / (np.exp(2.04954) - 1), rel=1e-4)
    assert (np.diff(picture.radiance(np.linspace(20.0, 2860.0, 50))) > 0).all()


def test_the_blur_is_a_gaussian_that_keeps_light(draw: np.random.Generator) -> None:
    x_PP = draw.random((64, 64))
    wanted_PP = gaussian_filter(x_PP, picture.BLUR_PIXELS, mode="nearest", truncate=8.0)
    inside = slice(8, -8)
    found_PP = picture.blurred(x_PP)
    np.testing.assert_allclose(found_PP[inside, inside], wanted_PP[inside, inside], rtol=1e-6)
    np.testing.assert_allclose(picture.blurred(np.ones((64, 64))), 1.0, rtol=1e-12)


def test_the_tail_lies_behind_the_source() -> None:
    levels_PP = seen(BEAM).astype(float)
    column_P = levels_PP.sum(axis=0)
    source = 63 - round(picture.AHEAD_M / picture.PIXEL_M)
    assert column_P[source - 10] > 5.0 * column_P[source + 10]


def test_both_sides_of_the_weld_are_alike_but_for_noise() -> None:
    levels_PP = seen(BEAM).astype(float)
    assert np.abs(levels_PP - levels_PP[::-1]).max() < 8.0


@pytest.mark.parametrize("level", [16, 64, 200])
def test_more_absorptivity_makes_a_larger_hot_area(level: int) -> None:
    areas = [
        int((seen(BEAM._replace(absorptivity=share)) > level).sum())
        for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    ]
    assert (np.diff(areas) > 0).all()


def test_the_melting_isotherm_is_where_the_level_of_melting_is() -> None:
    """The widest line of pixels above it is as wide as the weld, to a pixel."""
    from modalloy.twin.weld.pool_shape import cross_section

    level = 255.0 * float(picture.radiance(MELTS_C) / picture.radiance(picture.FULL_C))
    levels_PP = seen(BEAM)
    wide_pixels = int((levels_PP > level).sum(axis=0).max())
    section = cross_section(heat_of(BEAM, keyhole_of(BEAM)), MELTS_C)
    assert abs(wide_pixels * picture.PIXEL_M - section.width_m) <= 1.5 * picture.PIXEL_M


def test_seeds_change_noise_alone() -> None:
    first, second = seen(BEAM, 1).astype(float), seen(BEAM, 2).astype(float)
    assert (first != second).any()
    assert np.abs(first.sum() / second.sum() - 1.0) < 0.03
    np.testing.assert_array_equal(seen(BEAM, 1), first)
