"""How deep and how wide the metal melts: how far the melting isotherm is from the weld line."""

import math
from typing import NamedTuple

import numpy as np

from modalloy.errors import TwinError
from modalloy.twin.weld.heat import Heat

PLACES = (np.arange(24) / 23.0) ** 2  # along the weld, where the search for the widest one begins
ROUGH = 1e-2  # relative, the last step of the search
NEAR = 1e-6  # relative, the last step of Newton's method: what is left is about its square
STEPS = 50  # of either; a handful does


class CrossSection(NamedTuple):
    """What a weld leaves molten behind it, seen along the weld; in metres."""

    depth_m: float
    width_m: float


def cross_section(heat: Heat, melts_c: float) -> CrossSection:
    """Depth and width of what melts. Some metal always does, as a point source has no bound.

    Raises TwinError where the numbers of `heat` are none that a weld can have.
    """
    at_S = np.concatenate([-heat.depth_S[::-1], heat.depth_S])  # images, then sources
    power_S = np.concatenate([heat.power_S[::-1], heat.power_S]) / 2.0
    unit_w_m = 2.0 * math.pi * heat.conductivity_w_m_k * (melts_c - heat.plate_c)
    zero_S = np.zeros_like(at_S)
    lines = Lines(
        power_S / unit_w_m,
        heat.decay_per_m,
        np.stack([at_S, zero_S]),
        np.stack([zero_S, at_S**2]),
    )
    depth_m, half_m = farthest(lines)
    return CrossSection(depth_m, 2.0 * half_m)


class Lines(NamedTuple):
    """Straight lines away from the weld line: downwards, and across the surface.

    A source is as far from a point `out` on line D as sqrt((out - shift_DS)^2 + rest2_DS), and as
    the point is along the weld. most_S: where each source alone, at rest, would melt to.
    """

    most_S: np.ndarray
    decay_per_m: float
    shift_DS: np.ndarray
    rest2_DS: np.ndarray

    @property
    def begin_D(self) -> np.ndarray:
        """Behind the last source of each line: from here on it only becomes colder."""
        return self.shift_DS.max(axis=1)


def farthest(lines: Lines) -> list[float]:
    """How far out on each line some place along the weld still melts, in m.

    A search over places along the weld comes near, by Newton's steps in logarithms, and Newton's
    method in both unknowns ends it. No isotherm is farther from its source than that of a source
    at rest, which is q / (2 pi k dT), nor widest farther behind it than 1 / e of that.
    """
    most_m, decay = float(lines.most_S.sum()), lines.decay_per_m
    along_L = -0.45 * most_m * PLACES
    over_D = np.full(2, most_m / (1.0 + math.sqrt(math.e * most_m * decay)))
    row_D = np.arange(2)
    for _ in range(STEPS):
        half_DS = (lines.begin_D + over_D)[:, None] - lines.shift_DS
        far2_DS = half_DS**2 + lines.rest2_DS
        far_DLS = np.sqrt(far2_DS[:, None, :] + (along_L**2)[:, None])
        warm_DLS = lines.most_S / far_DLS * np.exp(-decay * (along_L[:, None] + far_DLS))
        warm_DL = warm_DLS.sum(axis=2)
        widest_D = warm_DL.argmax(axis=1)
        far_DS, warm_DS = far_DLS[row_D, widest_D], warm_DLS[row_D, widest_D]
        warm_D = warm_DL[row_D, widest_D]
        fall_D = (warm_DS * half_DS * (decay + 1.0 / far_DS) / far_DS).sum(axis=1) / warm_D
        step_D = np.log(warm_D) / (fall_D * over_D)
        over_D = np.minimum(over_D * np.exp(step_D.clip(-2.0, 2.0)), most_m)
        if np.abs(step_D).max() < ROUGH:
            near_D = zip(along_L[widest_D].tolist(), (lines.begin_D + over_D).tolist(), strict=True)
            return [_polished(lines, d, *near) for d, near in enumerate(near_D)]
    raise _lost()


def _polished(lines: Lines, line: int, along_m: float, out_m: float) -> float:
    """Newton's method for "as warm as melting" and "nowhere warmer along the weld" at once."""
    columns = (lines.most_S, lines.shift_DS[line], lines.rest2_DS[line])
    sources = list(zip(*(column.tolist() for column in columns), strict=True))
    for _ in range(STEPS):
        warmth, by_out, by_along, twice, mixed = _warmth(sources, lines.decay_per_m, along_m, out_m)
        whole = by_along * mixed - by_out * twice
        step_m = (warmth * twice - by_along**2) / whole
        along_m += (by_out * by_along - warmth * mixed) / whole
        out_m += step_m
        if abs(step_m) < NEAR * out_m:
            return out_m
    raise _lost()


def _warmth(
    sources: list[tuple[float, ...]], decay: float, along_m: float, out_m: float
) -> tuple[float, float, float, float, float]:
    """The logarithm of the rise over that of melting, and its derivatives: by `out`, by `along`,
    twice by `along`, by both. In plain numbers, which for so few sources are faster than arrays.
    """
    warm = by_out = by_along = twice = mixed = 0.0
    for most_m, shift_m, rest2 in sources:
        half_m = out_m - shift_m
        far2 = half_m**2 + rest2 + along_m**2
        far_m = math.sqrt(far2)
        one = most_m / far_m * math.exp(-decay * (along_m + far_m))
        pull, turn = (decay + 1.0 / far_m) / far_m, (decay + 2.0 / far_m) / (far2 * far_m)
        ahead, away = -decay - along_m * pull, -half_m * pull  # of the logarithm of this source
        warm += one
        by_out += one * away
        by_along += one * ahead
        twice += one * (ahead**2 - pull + along_m**2 * turn)
        mixed += one * (ahead * away + half_m * along_m * turn)
    by_out, by_along = by_out / warm, by_along / warm
    return (
        math.log(warm),
        by_out,
        by_along,
        twice / warm - by_along**2,
        mixed / warm - by_along * by_out,
    )


def _lost() -> TwinError:
    """No isotherm was found."""
    return TwinError("The weld's melting isotherm was not found; look at its power and speed.")
