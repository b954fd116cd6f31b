"""Where a calibrated twin still differs from the plant, beyond what spread and noise explain.

Letters: N rows, O outputs, K hidden parameters, X patterns.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from modalloy.twin.calibration.refined import Measured, Refined

CHANCE = 1e-3  # of any pattern found where there is none
SHARE = 0.04  # of what is left that a pattern explains: less is no matter
FEWEST = 8  # cells of an output
BEYOND = 6.0  # deviations of a cell that no noise explains
TOO_MUCH = 1.5  # times the noise that was given
LEFT = 1e-3  # of a pattern's variance that the fit has not taken for itself


class Pattern(NamedTuple):
    """What is left of one output follows something: `bias` is a constant, `slope` and `bend` are
    of a variable. size: in the output's unit, from one end of the variable to the other, or of the
    bias. share: of what is left that it explains.
    """

    output: int
    kind: str
    of: str
    size: float
    share: float


class Outlier(NamedTuple):
    """A cell that lies far from everything that spread and noise explain."""

    row: int
    output: int
    deviations: float


def patterns_of(
    refined: Refined, measured: Measured, u_ND: np.ndarray, names: Sequence[str]
) -> list[Pattern]:
    """The clearest pattern in what is left of each output, where chance makes none like it.

    A pattern's own chance counts noise, spread between parts, and what the fit has taken away.
    """
    kinds, x_NX = candidates(u_ND, names)
    found = []
    for o in range(measured.y_NO.shape[1]):
        known_N = known_cells(refined, o)
        if known_N.sum() < FEWEST:
            continue
        left_N = refined.left_NO[known_N, o]
        tests = [tested(refined, measured, o, x_N) for x_N in x_NX.T]
        bar = norm.isf(CHANCE / 2.0 / len(tests) / measured.y_NO.shape[1])
        sure = [
            Pattern(o, kind, of, size, share)
            for (kind, of), (z, size, share) in zip(kinds, tests, strict=True)
            if abs(z) > bar and share > SHARE
        ]
        if sure and (left_N**2).sum() > 0.0:
            found.append(max(sure, key=lambda one: one.share))
    return found


def candidates(u_ND: np.ndarray, names: Sequence[str]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """A constant, then each column of the settings that differs, and its square: x_NX."""
    kinds, columns = [("bias", "")], [np.ones(len(u_ND))]
    for name, u_N in zip(names, u_ND.T, strict=True):
        if u_N.std() < 1e-6:
            continue
        off_N = u_N - u_N.mean()
        kinds.append(("slope", name))
        columns.append(off_N)
        square_N = off_N**2 - (off_N**2).mean()
        square_N -= off_N * (square_N @ off_N) / (off_N @ off_N)
        if square_N.std() > 1e-3 * off_N.std():
            kinds.append(("bend", name))
            columns.append(square_N)
    return kinds, np.stack(columns, axis=1)


def tested(
    refined: Refined, measured: Measured, o: int, x_N: np.ndarray
) -> tuple[float, float, float]:
    """Deviations from chance, size from end to end, and share of one pattern in one output."""
    known_N = known_cells(refined, o)
    left_N, x_N = refined.left_NO[known_N, o], x_N[known_N]
    slope_NK, part_N = refined.slope_NOK[known_N, o], measured.part_N[known_N]
    noise, spread_K = refined.scales.noise_O[o], refined.scales.spread_K
    by_part = np.zeros((int(measured.part_N.max()) + 1, len(spread_K)))
    np.add.at(by_part, part_N, slope_NK * x_N[:, None])
    variance = noise**2 * (x_N @ x_N) + ((by_part * spread_K) ** 2).sum()
    taken_K = slope_NK.T @ x_N
    free = variance - taken_K @ np.linalg.solve(refined.solved.precision_KK, taken_K)
    if free < LEFT * variance:
        return 0.0, 0.0, 0.0
    along = float(x_N @ left_N)
    share = along**2 / max(float((x_N @ x_N) * (left_N @ left_N)), 1e-300)
    reach = float(x_N.max() - x_N.min()) or 1.0
    return along / float(np.sqrt(free)), along / float(x_N @ x_N) * reach, share


def known_cells(refined: Refined, o: int) -> np.ndarray:
    """Rows that have this output and its slopes."""
    return np.isfinite(refined.left_NO[:, o]) & np.isfinite(refined.slope_NOK[:, o]).all(1)


def outliers_of(refined: Refined, noisy: Collection[int]) -> list[Outlier]:
    """Cells far beyond spread and noise, the furthest first, but for outputs that are too noisy."""
    spread_K = refined.scales.spread_K
    own_NO = ((refined.slope_NOK * spread_K) ** 2).sum(2) + refined.scales.noise_O**2
    z_NO = np.abs(np.nan_to_num(refined.left_NO / np.sqrt(own_NO)))
    z_NO[:, list(noisy)] = 0.0
    places = np.argwhere(z_NO > BEYOND)
    found = [Outlier(int(n), int(o), float(z_NO[n, o])) for n, o in places]
    return sorted(found, key=lambda one: -one.deviations)


def too_noisy(refined: Refined, measured: Measured) -> dict[int, float]:
    """How many times what spread and the given noise explain is left, where it is far more."""
    own_NO = ((refined.slope_NOK * refined.scales.spread_K) ** 2).sum(2)
    found = {}
    for o, noise in measured.noise.items():
        ratio_N = refined.left_NO[:, o] ** 2 / (own_NO[:, o] + noise**2)
        times = float(np.sqrt(np.nanmean(ratio_N)))
        if times > TOO_MUCH:
            found[o] = times
    return found
