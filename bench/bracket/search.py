"""The lightest good bracket of a plan, and of differential evolution."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import differential_evolution
from scipy.stats import qmc

from modalloy.job.lined_yaml import read_page
from modalloy.twin.bracket import bracket

DESIGNS = 78  # of a generation of the search
WEIGHT_KG = 3.0  # that a limit missed by its whole size costs in the search


class Run(NamedTuple):
    """One design; what cannot be built is infinitely heavy."""

    mass_kg: float = np.inf
    deflection_mm: float = np.inf
    f1_hz: float = 0.0
    good: bool = False

    @property
    def missed(self) -> float:
        """By what share of themselves both limits are missed, together."""
        by_deflection = max(0.0, self.deflection_mm / bracket.DEFLECTION_MM - 1.0)
        return by_deflection + max(0.0, 1.0 - self.f1_hz / bracket.F1_HZ)


class Variables(NamedTuple):
    """The continuous variables that the twin's file names. low_D, high_D: their bounds.
    hidden: names of what cannot be set."""

    names: tuple[str, ...]
    low_D: np.ndarray
    high_D: np.ndarray
    hidden: tuple[str, ...]

    def values(
        self, u_D: np.ndarray, metal: str, hidden: Sequence[float] | None = None
    ) -> dict[str, Any]:
        """What the simulator is given for a design in [0, 1]^D; hidden ones are 0 otherwise."""
        at_D = self.low_D + (self.high_D - self.low_D) * u_D
        named = dict(zip(self.names, at_D.tolist(), strict=True))
        unseen = dict(zip(self.hidden, hidden or [0.0] * len(self.hidden), strict=True))
        return named | unseen | {"material": metal}


def variables() -> Variables:
    """As bracket.yaml has them."""
    found = files("modalloy.twin.bracket") / "bracket.yaml"
    page: Mapping[str, Any] = read_page(found.read_text()).data
    free = {n: v for n, v in page["variables"].items() if v["type"] == "continuous"}
    low_D, high_D = (np.array([v[side] for v in free.values()], float) for side in ("low", "high"))
    return Variables(tuple(free), low_D, high_D, tuple(page["hidden"]))


def run(values: Mapping[str, Any]) -> Run:
    """A design's figures, without media."""
    try:
        found = bracket.behaviour(bracket.design(values))
    except ValueError:
        return Run()
    f1_hz = float(found.modes.frequency_hz_K[0])
    return Run(found.mass_kg, found.deflection_mm, f1_hz, found.good)


def plan(own: Variables, metal: str, seed: int, runs: int) -> list[Run]:
    """A Latin hypercube of one metal."""
    u_ND = qmc.LatinHypercube(len(own.names), rng=seed).random(runs)
    return [run(own.values(u_D, metal)) for u_D in u_ND]


def search(own: Variables, metal: str, seed: int, runs: int) -> tuple[Run, int]:
    """The lightest good design of differential evolution (Storn and Price 1997), and its runs.

    scipy's, with limits as a penalty and everything else by default; the last generation is cut.
    """
    seen: list[Run] = []

    def cost(u_D: np.ndarray) -> float:
        found = run(own.values(u_D, metal))
        seen.append(found)
        if not np.isfinite(found.mass_kg):
            return 10.0 * WEIGHT_KG
        return found.mass_kg + WEIGHT_KG * found.missed

    dimensions = len(own.names)
    differential_evolution(
        cost,
        [(0.0, 1.0)] * dimensions,
        init=qmc.LatinHypercube(dimensions, rng=seed).random(DESIGNS),
        maxiter=-(-runs // DESIGNS) - 1,
        rng=seed,
        polish=False,
        tol=0.0,
    )
    return lightest(seen[:runs]), len(seen[:runs])


def lightest(runs: list[Run]) -> Run:
    """The lightest good one; infinitely heavy where none is good."""
    return min((r for r in runs if r.good), key=lambda r: r.mass_kg, default=Run())
