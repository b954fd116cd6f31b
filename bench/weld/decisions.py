"""What can be decided of welds at best: how fast a good one can be, and how early drift is seen."""

import math
from collections.abc import Iterator

import numpy as np

from bench.line import Line
from modalloy.twin.weld.keyhole import Beam, heat_of, keyhole_of
from modalloy.twin.weld.metals import METALS
from modalloy.twin.weld.plant import described, stream
from modalloy.twin.weld.pool_shape import cross_section
from modalloy.twin.weld.simulator import WINDOW_MM, verdict

CLEAN, DIRTY = 0.60, 0.40
SPEEDS_MM_S = (42, 38, 34, 30, 27, 24, 22, 20, 18, 16, 15, 14, 13)
SPOTS_MM = (0.5, 0.6, 0.7, 0.85, 1.0)
FALLS = (1500, 500, 200, 100)  # parts over which absorptivity falls


def fastest() -> Iterator[Line]:
    """The fastest speed at which 95 % of parts are in the window, known absorptivity, stainless."""
    scatter = [part.values for part in stream(60, seed=0, onset=60)]
    for level in (CLEAN, 0.5, DIRTY):
        speed = next(s for s in SPEEDS_MM_S if any(holds(b, scatter) for b in beams(s, level)))
        name = f"fastest speed, absorptivity {level:.2f}, stainless"
        yield Line(name, "mm/s with 95 % of parts in the window", float(speed))


def beams(speed_mm_s: float, level: float) -> Iterator[Beam]:
    """Settings at a speed whose depth, without scatter, is near the window's middle."""
    for spot_mm in SPOTS_MM:
        for power_w in range(600, 1401, 50):
            beam = Beam(power_w, 1e-3 * speed_mm_s, 20.0, 1e-3 * spot_mm, "stainless", level, 1.0)
            if abs(depth_of(beam) - sum(WINDOW_MM) / 2) < 0.06:
                yield beam


def holds(beam: Beam, scatter: list[dict[str, float | str]]) -> bool:
    """Whether 95 % of parts that scatter around a beam are in the window."""
    good = 0
    for values in scatter:
        part = beam._replace(
            absorptivity=beam.absorptivity * float(values["absorptivity"]) / CLEAN,
            conductivity_factor=float(values["conductivity_factor"]),
        )
        good += verdict(depth_of(part)) == "good"
    return good >= 0.95 * len(scatter)


def depth_of(beam: Beam) -> float:
    """Depth in mm."""
    heat = heat_of(beam, keyhole_of(beam))
    return 1e3 * cross_section(heat, METALS[beam.grade].melts_c).depth_m


def alarms() -> Iterator[Line]:
    """How early any alarm can be: a CUSUM that sees each part's absorptivity without error, at one
    false alarm in 1,000 parts, the best of several slacks (Page 1954)."""
    draw, deviation = np.random.default_rng(0), described()["hidden"]["absorptivity"]["deviation"]
    quiet = draw.standard_normal((800, 1000))
    noise = draw.standard_normal((400, 1500))
    for fall in FALLS:
        drop = (CLEAN - DIRTY) * np.minimum(np.arange(1500) / fall, 1.0) / deviation
        delays = []
        for slack in (0.1, 0.2, 0.3, 0.5):
            limit = np.quantile(cusum(quiet, slack).max(axis=1), math.exp(-1.0))
            delays.append(float(np.median((cusum(noise + drop, slack) > limit).argmax(axis=1))))
        case = f"absorptivity falls from .60 to .40 over {fall:,} parts"
        yield Line(case, "parts until an alarm, median, at best", min(delays))


def cusum(x_NT: np.ndarray, slack: float) -> np.ndarray:
    """Page's one-sided sum at each moment."""
    sum_N, all_NT = np.zeros(len(x_NT)), np.empty_like(x_NT)
    for moment, x_N in enumerate(x_NT.T):
        sum_N = np.maximum(sum_N + x_N - slack, 0.0)
        all_NT[:, moment] = sum_N
    return all_NT
