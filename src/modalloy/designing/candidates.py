"""New designs near known ones: some columns moved inside a box, discrete variables drawn anew."""

from typing import NamedTuple

import numpy as np
from scipy.stats import qmc

from modalloy.designing.problem import Problem

MOVED = 20  # columns that a candidate differs by from where it comes, at most on average
REDRAWN = 0.15  # chance that a discrete variable is drawn anew


class Box(NamedTuple):
    """A part of [0, 1]^D to look in: its lower and upper corner."""

    low_D: np.ndarray
    high_D: np.ndarray


def whole(columns: int) -> Box:
    """All of the space."""
    return Box(np.zeros(columns), np.ones(columns))


def spread(problem: Problem, box: Box, count: int, *, draw: np.random.Generator) -> np.ndarray:
    """Designs all over a box, repaired, (count, D): a scrambled Sobol sequence (Owen 1998)."""
    sobol = qmc.Sobol(problem.space.size, rng=draw)
    u_ND = sobol.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    return problem.repair(box.low_D + u_ND * (box.high_D - box.low_D))


def moved(
    problem: Problem, origin_ND: np.ndarray, box: Box, *, step: float, draw: np.random.Generator
) -> np.ndarray:
    """A design near each given one that differs from it in some columns, repaired, (N, D).

    About 20 columns, one at least, move normally by `step` times the box's side (as TuRBO's
    candidates do, Eriksson et al. 2019), and each discrete variable may be drawn anew.
    """
    count, columns = origin_ND.shape
    mask_ND = draw.random(origin_ND.shape) < min(1.0, MOVED / columns)
    mask_ND[np.arange(count), draw.integers(0, columns, count)] = True
    shift_ND = draw.normal(0.0, step, origin_ND.shape) * (box.high_D - box.low_D)
    u_ND = np.where(mask_ND, origin_ND + shift_ND, origin_ND)
    u_ND = np.clip(u_ND, box.low_D, box.high_D)
    free_D = problem.continuous()
    for group in problem.space.groups.values():
        if not free_D[group].all():
            anew_N1 = draw.random((count, 1)) < REDRAWN
            drawn_NG = draw.random((count, group.stop - group.start))
            u_ND[:, group] = np.where(anew_N1, drawn_NG, origin_ND[:, group])
    return problem.repair(u_ND)
