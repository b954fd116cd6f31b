"""What the weld twin is like: its time, its spread, what each of its outputs tells of depth.

    python -m bench.weld [--rows 1500] [--seeds 3]

Writes bench/results/weld.json and the table of docs/twin-weld.md; minutes on one core.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.line import Line, publish, table
from bench.weld.decisions import alarms, fastest
from bench.weld.drifting import drifting
from modalloy.twin.weld.heat import Heat, cooling_rate
from modalloy.twin.weld.keyhole import heat_of, keyhole_of
from modalloy.twin.weld.metals import METALS
from modalloy.twin.weld.plant import Part, stream
from modalloy.twin.weld.pool_shape import cross_section
from modalloy.twin.weld.simulator import COOLS_C, beam_of, simulate, weld


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.weld")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    lines: list[Line] = []
    for measure in (
        lambda: times(200),
        lambda: drifting(args.rows, args.seeds),
        lambda: closeness(200),
        fastest,
        alarms,
    ):
        start = time.perf_counter()
        made = list(measure())
        after = {"seconds": time.perf_counter() - start, "command": "python -m bench.weld"}
        lines += [line._replace(**after) for line in made]
    publish("weld", lines, "twin-weld.md")
    print(table(lines))


def times(runs: int) -> Iterator[Line]:
    """Median milliseconds of the processor a run, the least and the most."""
    parts = stream(runs, seed=0, onset=runs)
    with tempfile.TemporaryDirectory() as folder:
        for name, once in (
            ("without files", lambda part: weld(beam_of(part.values), seed=part.seed)),
            ("with files", lambda p: simulate(p.values, seed=p.seed, folder=Path(folder))),
        ):
            ms = [1e3 * seconds(once, part) for part in parts]
            yield Line(
                "one run", f"ms of the processor, {name}", float(np.median(ms)), (min(ms), max(ms))
            )


def seconds(once: Callable[[Part], object], part: Part) -> float:
    """What one call takes of the processor, which other work shares."""
    start = time.process_time()
    once(part)
    return time.process_time() - start


def closeness(parts: int) -> Iterator[Line]:
    """How far a keyhole's four points are from a line, and the cooling rate from the slope."""
    apart, slopes = [], []
    node_S, weight_S = (x[64:] for x in np.polynomial.legendre.leggauss(128))
    for part in stream(parts, seed=0, onset=parts):
        beam = beam_of(part.values)
        keyhole = keyhole_of(beam)
        heat, melts_c = heat_of(beam, keyhole), METALS[beam.grade].melts_c
        fine = heat._replace(
            depth_S=np.array([0.0, *(keyhole.depth_m * node_S)]),
            power_S=beam.absorbed_w * np.array([1.0 - keyhole.share, *(keyhole.share * weight_S)]),
        )
        depths = [cross_section(one, melts_c).depth_m for one in (heat, fine)]
        apart.append(abs(depths[0] / depths[1] - 1.0))
        slopes.append(abs(cooling_rate(heat, COOLS_C) / slope(heat) - 1.0))
    yield Line(
        "keyhole of four points against a line of 64", "depth, most apart, %", 100 * max(apart)
    )
    yield Line("cooling rate against the slope of the field", "most apart, %", 100 * max(slopes))


def slope(heat: Heat) -> float:
    """K/s where the weld line passes the temperature that cooling is told at."""
    far_m = heat.power_w / (2.0 * math.pi * heat.conductivity_w_m_k * (COOLS_C - heat.plate_c))
    along = -far_m * np.linspace(0.5, 1.2, 20_001)
    line_c = heat.plate_c + heat.surface_rise(along, np.zeros_like(along))
    at = int(np.flatnonzero(line_c > COOLS_C)[-1])
    return heat.speed_m_s * float(
        (line_c[at + 1] - line_c[at - 1]) / (along[at + 1] - along[at - 1])
    )


if __name__ == "__main__":
    main()
