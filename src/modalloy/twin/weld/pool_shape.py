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
    depth_m, half_m = farthest(lines).tolist()
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


def farthest(lines: Lines) -> np.ndarray:
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
            return _polished(lines, along_L[widest_D], lines.begin_D + over_D)
    raise _lost()


def _polished(lines: Lines, along_D: np.ndarray, out_D: np.ndarray) -> np.ndarray:
    """Newton's method for "as warm as melting" and "nowhere warmer along the weld" at once."""
    for _ in range(STEPS):
        warmth_D, by_out_D, by_along_D, twice_D, mixed_D = _warmth(lines, along_D, out_D)
        whole_D = by_along_D * mixed_D - by_out_D * twice_D
        along_D = along_D + (by_out_D * by_along_D - warmth_D * mixed_D) / whole_D
        step_D = (warmth_D * twice_D - by_along_D**2) / whole_D
        out_D = out_D + step_D
        if np.abs(step_D / out_D).max() < NEAR:
            return out_D
    raise _lost()


def _warmth(lines: Lines, along_D: np.ndarray, out_D: np.ndarray) -> tuple[np.ndarray, ...]:
    """The logarithm of the rise over that of melting, and its derivatives: by `out`, by `along`,
    twice by `along`, by both."""
    along_DS, decay = along_D[:, None], lines.decay_per_m
    half_DS = out_D[:, None] - lines.shift_DS
    far2_DS = half_DS**2 + lines.rest2_DS + along_DS**2
    far_DS = np.sqrt(far2_DS)
    warm_DS = lines.most_S / far_DS * np.exp(-decay * (along_DS + far_DS))
    warm_D = warm_DS.sum(axis=1)
    share_DS = warm_DS / warm_D[:, None]
    pull_DS = (decay + 1.0 / far_DS) / far_DS
    turn_DS = (decay + 2.0 / far_DS) / (far2_DS * far_DS)
    by_along_DS, by_out_DS = -decay - along_DS * pull_DS, -half_DS * pull_DS
    twice_DS = by_along_DS**2 - pull_DS + along_DS**2 * turn_DS
    mixed_DS = by_along_DS * by_out_DS + half_DS * along_DS * turn_DS
    by_along_D, by_out_D = (share_DS * by_along_DS).sum(1), (share_DS * by_out_DS).sum(1)
    twice_D = (share_DS * twice_DS).sum(1) - by_along_D**2
    mixed_D = (share_DS * mixed_DS).sum(1) - by_along_D * by_out_D
    return np.log(warm_D), by_out_D, by_along_D, twice_D, mixed_D


def _lost() -> TwinError:
    """No isotherm was found."""
    return TwinError("The weld's melting isotherm was not found; look at its power and speed.")
