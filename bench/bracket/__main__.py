"""`python -m bench.bracket`: every figure of docs/twin-bracket.md; minutes on one core."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.bracket.as_built import copies, learned, made, of_copies
from bench.bracket.bounds import designs, tied, too_high
from bench.bracket.search import Run, Variables, lightest, plan, run, search, variables
from modalloy.twin.bracket import bracket
from modalloy.twin.bracket.simulator import simulate

METALS = ("steel", "aluminium", "titanium")
PLAN, SEARCH, LONG = 1500, 1560, 8000  # runs


def main() -> None:
    """Print the tables."""
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--seeds", type=int, default=3)
    read.add_argument("--short", action="store_true", help="without the search of 8,000 runs")
    asked = read.parse_args()
    own = variables()
    times(own)
    taps(own, asked.seeds)
    limits(own)
    print("\n| metal | seed | not buildable | stiff | high | good | lightest kg |")
    print("|---|---|---|---|---|---|---|")
    for metal in METALS:
        for seed in range(asked.seeds):
            of_plan(metal, seed, plan(own, metal, seed, PLAN))
    print("\n| metal | seed | runs | deflection mm | f1 Hz | lightest kg |")
    print("|---|---|---|---|---|---|")
    for metal in METALS:
        for seed in range(asked.seeds):
            of_search(metal, seed, *search(own, metal, seed, SEARCH))
    if not asked.short:
        for seed in range(asked.seeds):
            of_search("steel", seed, *search(own, "steel", seed, LONG))


def times(own: Variables) -> None:
    """Lines on milliseconds a run."""
    values = own.values(np.full(len(own.names), 0.5), "steel")
    with tempfile.TemporaryDirectory() as folder:
        for said, act in (
            ("figures alone", lambda: run(values)),
            ("with media", lambda: simulate(values, seed=0, folder=Path(folder))),
        ):
            wall_ms, own_ms = milliseconds(act)
            print(f"{said}: {own_ms:.1f} ms of the processor a run, {wall_ms:.1f} ms of the clock")


def milliseconds(act: Callable[[], object], calls: int = 300) -> tuple[float, float]:
    """A call: of the clock, and of the processor alone, which other programs hardly lengthen."""
    act()
    wall, own = time.perf_counter(), time.process_time()
    for _ in range(calls):
        act()
    spent = time.perf_counter() - wall, time.process_time() - own
    return 1e3 * spent[0] / calls, 1e3 * spent[1] / calls


def taps(own: Variables, seeds: int) -> None:
    """Lines on what a tap tells of walls."""
    draw = np.random.default_rng(0)
    left_NW = np.array([of_copies(*copies(own, draw, 80)) for _ in range(30)])
    nothing, first, all_of_them = 100 * np.median(left_NW, axis=0)
    print(
        f"deviation of deflection among copies of a design, median of 30 designs: {nothing:.1f} %; "
        f"f1 known: {first:.1f} %; {bracket.MODES} frequencies known: {all_of_them:.1f} %"
    )
    for seed in range(seeds):
        alone, heard = learned(made(own, seed, PLAN + 500), PLAN)
        print(
            f"deflection of brackets as made, error learned from 1,500 rows, seed {seed}: "
            f"{100 * alone:.1f} % by numbers, {100 * heard:.1f} % with the lowest peak heard"
        )


def limits(own: Variables) -> None:
    """Lines on stress, on how the limits hang together, and on the mesh."""
    for metal in METALS:
        held = tied([bracket.behaviour(of) for of in designs(own, metal, 1000)])
        print(
            f"{metal}: deflection goes by f1 to the power of {held.power:.2f}, which explains "
            f"{100 * held.explained:.1f} %; largest stress of a stiff one {held.stress_mpa:.0f} MPa"
        )
    worst_K = 100 * np.max([too_high(of) for of in designs(own, "steel", 30)], axis=0)
    print(
        f"frequencies too high by {worst_K[0]:.2f} % (f1), {worst_K[1]:.2f} % (f2), "
        f"{worst_K.max():.1f} % (any of {bracket.MODES}) at most, of 30 designs"
    )


def of_plan(metal: str, seed: int, runs: list[Run]) -> None:
    """A line on a plan: shares that meet the first limit, the second, both."""
    stiff = np.mean([r.deflection_mm <= bracket.DEFLECTION_MM for r in runs])
    high = np.mean([r.f1_hz >= bracket.F1_HZ for r in runs])
    good = np.mean([r.good for r in runs])
    failed = sum(not np.isfinite(r.mass_kg) for r in runs)
    shares = f"{failed} | {100 * stiff:.1f} % | {100 * high:.1f} % | {100 * good:.1f} %"
    print(f"| {metal} | {seed} | {shares} | {said_kg(lightest(runs))} |", flush=True)


def of_search(metal: str, seed: int, best: Run, runs: int) -> None:
    """A line on a search."""
    reached = f"{best.deflection_mm:.3f} | {best.f1_hz:.1f}" if best.good else "- | -"
    print(f"| {metal} | {seed} | {runs:,} | {reached} | {said_kg(best)} |", flush=True)


def said_kg(best: Run) -> str:
    """Its mass, or that there was no good one."""
    return f"{best.mass_kg:.3f}" if best.good else "none good"


if __name__ == "__main__":
    main()
