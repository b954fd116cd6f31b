"""A stepped cantilever of eight tubes in closed form: designs of 16 variables for tests."""

from collections.abc import Mapping

import numpy as np

from modalloy.designing.constraints import parse_constraints, parse_objective
from modalloy.designing.problem import Problem

TUBES = 8
STEP_M = 1.0 / TUBES
LOAD_N, TIP_KG = 100.0, 0.5
YOUNGS_PA = {"steel": 210e9, "aluminium": 70e9}
DENSITY_KG_M3 = {"steel": 7850.0, "aluminium": 2700.0}
NAMES = ("mass", "deflection", "f1")
UNITS = {"mass": "kg", "deflection": "mm", "f1": "Hz"}


class Space:
    """Eight diameters and eight walls; mixed: walls in 12 steps, and a choice of metal."""

    def __init__(self, *, mixed: bool = False) -> None:
        self.mixed = mixed
        self.size = 2 * TUBES + 2 * mixed

    @property
    def groups(self) -> Mapping[str, slice]:
        own = {f"x{d}": slice(d, d + 1) for d in range(2 * TUBES)}
        return own | ({"metal": slice(16, 18)} if self.mixed else {})

    def repair(self, u_ND: np.ndarray) -> np.ndarray:
        u_ND = np.clip(u_ND, 0.0, 1.0)
        if self.mixed:
            level_NT = np.minimum(np.floor(u_ND[:, TUBES:16] * 12), 11)
            u_ND[:, TUBES:16] = (level_NT + 0.5) / 12
            first_N = u_ND[:, 16] >= u_ND[:, 17]
            u_ND[:, 16], u_ND[:, 17] = first_N, ~first_N
        return u_ND


def run(u_ND: np.ndarray) -> np.ndarray:
    """Mass in kg, tip deflection in mm and a lower bound of the first frequency in Hz, (N, 3)."""
    metal = np.zeros(len(u_ND), dtype=int) if u_ND.shape[1] == 16 else u_ND[:, 16:18].argmax(1)
    youngs_N, density_N = (np.array(list(x.values()))[metal] for x in (YOUNGS_PA, DENSITY_KG_M3))
    d_NT = 0.012 + 0.038 * u_ND[:, :TUBES]
    wall_NT = 0.001 + 0.003 * u_ND[:, TUBES:16]
    area_NT = np.pi * (d_NT - wall_NT) * wall_NT
    i_NT = np.pi / 64.0 * (d_NT**4 - (d_NT - 2.0 * wall_NT) ** 4)
    mass_NT = density_N[:, None] * area_NT * STEP_M
    edge = np.arange(TUBES + 1) * STEP_M
    far = 1.0 - edge
    # Tip deflection by a force at the tip: the integral of (1 - x)^2 / (E I).
    soft_N = ((far[:-1] ** 3 - far[1:] ** 3) / 3.0 / i_NT).sum(1) / youngs_N
    # Dunkerley: 1 / f^2 is at most the sum over masses of their own; tubes as masses in the middle.
    square_N = TIP_KG * soft_N
    for t in range(TUBES):
        at = edge[t] + STEP_M / 2.0
        a, b = at - edge[:-1], np.maximum(at - edge[1:], 0.0)
        own_T = np.where(edge[:-1] < at, (a**3 - b**3) / 3.0, 0.0)
        square_N = square_N + mass_NT[:, t] * (own_T / i_NT).sum(1) / youngs_N
    return np.stack([mass_NT.sum(1), 1e3 * LOAD_N * soft_N, 1.0 / (2 * np.pi * square_N**0.5)], 1)


def problem(
    *asked: str, mixed: bool = False, seek: tuple[tuple[str, str], ...] = (("mass", "minimise"),)
) -> Problem:
    """The cantilever with constraints and objectives."""
    objectives = tuple(
        parse_objective(name, UNITS, direction="minimise" if d == "minimise" else "maximise")
        for name, d in seek
    )
    return Problem(Space(mixed=mixed), NAMES, parse_constraints(asked, UNITS), objectives)
