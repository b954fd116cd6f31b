"""What the bracket twin is worth as a problem: seconds a run, best of a plan, best of a search.

`python -m bench.bracket` prints every figure of docs/twin-bracket.md; minutes on one core.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import differential_evolution
from scipy.stats import qmc

from modalloy.job.lined_yaml import read_page
from modalloy.twin.bracket import bracket
from modalloy.twin.bracket.simulator import simulate

METALS = ("steel", "aluminium", "titanium")
PLAN, SEARCH, LONG = 1500, 1560, 8000  # runs
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
    """The continuous variables that the twin's file names. low_D, high_D: their bounds."""

    names: tuple[str, ...]
    low_D: np.ndarray
    high_D: np.ndarray
    hidden: tuple[str, ...]

    def values(self, u_D: np.ndarray, metal: str, **hidden: float) -> dict[str, Any]:
        """What the simulator is given for a design in [0, 1]^D."""
        at_D = self.low_D + (self.high_D - self.low_D) * u_D
        named = dict(zip(self.names, at_D.tolist(), strict=True))
        return named | dict.fromkeys(self.hidden, 0.0) | hidden | {"material": metal}


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


def plan(own: Variables, metal: str, seed: int) -> list[Run]:
    """A Latin hypercube of one metal."""
    u_ND = qmc.LatinHypercube(len(own.names), rng=seed).random(PLAN)
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


def copies(own: Variables, draw: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of deflection, (C,), and of the frequencies, (C, K), of copies of a steel design
    that is drawn: all that differs is how thick walls became."""
    while True:
        u_D = draw.random(len(own.names))
        if np.isfinite(run(own.values(u_D, "steel")).mass_kg):
            break
    found = []
    for drawn_M in np.clip(draw.normal(0.0, 0.08, (count, bracket.MEMBERS)), -0.25, 0.25):
        hidden = dict(zip(own.hidden, drawn_M.tolist(), strict=True))
        made = bracket.design(own.values(u_D, "steel", **hidden))
        found.append(bracket.behaviour(made))
    deflection_C = np.log([b.deflection_mm for b in found])
    return deflection_C, np.log([b.modes.frequency_hz_K for b in found])


def unexplained(y_C: np.ndarray, x_CK: np.ndarray) -> float:
    """Deviation that a linear fit to the first half of copies leaves in the second."""
    with_one = np.column_stack([np.ones(len(y_C)), x_CK])
    half = len(y_C) // 2
    weight_K = np.linalg.lstsq(with_one[:half], y_C[:half], rcond=None)[0]
    return float(np.std(y_C[half:] - with_one[half:] @ weight_K))


def milliseconds(act: Callable[[], object], times: int = 300) -> tuple[float, float]:
    """A call: of the clock, and of the processor alone, which other programs do not lengthen."""
    act()
    wall, own = time.perf_counter(), time.process_time()
    for _ in range(times):
        act()
    done = time.perf_counter() - wall, time.process_time() - own
    return 1e3 * done[0] / times, 1e3 * done[1] / times


def main() -> None:
    """Print the tables."""
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--seeds", type=int, default=3)
    read.add_argument("--short", action="store_true", help="without the search of 8,000 runs")
    asked = read.parse_args()
    own = variables()
    values = own.values(np.full(len(own.names), 0.5), "steel")
    with tempfile.TemporaryDirectory() as folder:
        for said, act in (
            ("figures alone", lambda: run(values)),
            ("with media", lambda: simulate(values, seed=0, folder=Path(folder))),
        ):
            wall_ms, cpu_ms = milliseconds(act)
            print(f"{said}: {wall_ms:.1f} ms a run ({cpu_ms:.1f} ms of the processor)")
    draw = np.random.default_rng(0)
    left_NW = np.array([of_copies(*copies(own, draw, 80)) for _ in range(30)])
    nothing, first, all_of_them = 100 * np.median(left_NW, axis=0)
    print(
        f"deviation of deflection among copies of a design, median of 30 designs: {nothing:.1f} %; "
        f"f1 known: {first:.1f} %; {bracket.MODES} frequencies known: {all_of_them:.1f} %"
    )
    print("\n| metal | seed | way | runs | not buildable | stiff | high | good | lightest kg |")
    print("|---|---|---|---|---|---|---|---|---|")
    for metal in METALS:
        for seed in range(asked.seeds):
            of_plan(metal, seed, plan(own, metal, seed))
    for metal in METALS:
        for seed in range(asked.seeds):
            of_search(metal, seed, *search(own, metal, seed, SEARCH))
    if not asked.short:
        for seed in range(asked.seeds):
            of_search("steel", seed, *search(own, "steel", seed, LONG))


def of_copies(y_C: np.ndarray, x_CK: np.ndarray) -> tuple[float, float, float]:
    """What is left unexplained with no frequency, with the lowest, and with all."""
    return unexplained(y_C, x_CK[:, :0]), unexplained(y_C, x_CK[:, :1]), unexplained(y_C, x_CK)


def of_plan(metal: str, seed: int, runs: list[Run]) -> None:
    """A line on a plan: shares that meet the first limit, the second, both."""
    stiff = np.mean([r.deflection_mm <= bracket.DEFLECTION_MM for r in runs])
    high = np.mean([r.f1_hz >= bracket.F1_HZ for r in runs])
    good = np.mean([r.good for r in runs])
    failed = sum(not np.isfinite(r.mass_kg) for r in runs)
    shares = f"{failed} | {100 * stiff:.1f} % | {100 * high:.1f} % | {100 * good:.1f} %"
    print(
        f"| {metal} | {seed} | Latin hypercube | {len(runs):,} | {shares} | "
        f"{lightest(runs).mass_kg:.3f} |"
    )


def of_search(metal: str, seed: int, best: Run, runs: int) -> None:
    """A line on a search: the best design's deflection and frequency stand where shares do."""
    reached = f"{best.deflection_mm:.3f} mm | {best.f1_hz:.1f} Hz | - | {best.mass_kg:.3f}"
    print(f"| {metal} | {seed} | differential evolution | {runs:,} | - | {reached} |", flush=True)


if __name__ == "__main__":
    main()
