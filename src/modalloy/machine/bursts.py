"""Times several ways of doing one thing against each other: interleaved bursts, ratios of medians.

Ways that are timed one after the other are timed on different machines: neighbours come and go, and
clocks change. Here every round runs a burst of each, and what is compared are rounds.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BURST_S = 0.05  # that a burst is to take, where one call takes less
MOST_CALLS = 500  # in a burst
RESAMPLED = 1000  # times that rounds are drawn again for the spread of a ratio


@dataclass(frozen=True)
class Timing:
    """Wall seconds of one way's single calls, (R, C) for rounds and calls, and CPU seconds of the
    whole process a call, (R,): these do not count what neighbours took.
    """

    call_s_RC: np.ndarray
    cpu_s_R: np.ndarray

    @property
    def round_s_R(self) -> np.ndarray:
        """The median call of each round."""
        return np.median(self.call_s_RC, axis=1)

    @property
    def median_s(self) -> float:
        """The median of the rounds."""
        return float(np.median(self.round_s_R))

    @property
    def p50_ms(self) -> float:
        """Median of all single calls."""
        return float(np.percentile(self.call_s_RC, 50)) * 1e3

    @property
    def p99_ms(self) -> float:
        """The time that one call of a hundred exceeds."""
        return float(np.percentile(self.call_s_RC, 99)) * 1e3

    @property
    def cpu_ms(self) -> float:
        """CPU time of a call, the median of the rounds."""
        return float(np.median(self.cpu_s_R)) * 1e3


class Ratio(NamedTuple):
    """How many times as fast; low, high: its 95 % interval where rounds are drawn again."""

    value: float
    low: float
    high: float


def interleaved(
    ways: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 9,
    burst_s: float = BURST_S,
    most_s: float | None = None,
) -> dict[str, Timing]:
    """Every way timed in every round; each round begins with another one.

    A way returns when its work is done: one that only hands it to a device waits for it itself.
    Each is called twice before, which is not timed. burst_s: what a burst is to take; one call
    where it takes longer. most_s: of all rounds together; the round that passes it is the last.
    """
    calls = {name: calls_of(way, burst_s) for name, way in ways.items()}
    call_s: dict[str, list[list[float]]] = {name: [] for name in ways}
    cpu_s: dict[str, list[float]] = {name: [] for name in ways}
    names, begin = list(ways), time.perf_counter()
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            own, cpu = burst(ways[name], calls[name])
            call_s[name].append(own)
            cpu_s[name].append(cpu)
        if most_s is not None and time.perf_counter() - begin > most_s:
            break
    return {n: Timing(np.array(call_s[n]), np.array(cpu_s[n])) for n in names}


def faster(slow: Timing, fast: Timing, *, seed: int = 0) -> Ratio:
    """How many times as fast the second way is: the ratio of the medians over rounds.

    Its interval draws rounds again, the same ones for both: they ran side by side.
    """
    slow_R, fast_R = slow.round_s_R, fast.round_s_R
    drawn = np.random.default_rng(seed).integers(0, len(slow_R), (RESAMPLED, len(slow_R)))
    ratios = np.median(slow_R[drawn], axis=1) / np.median(fast_R[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Ratio(slow.median_s / fast.median_s, float(low), float(high))


def calls_of(way: Callable[[], object], burst_s: float) -> int:
    """Calls that fill a burst, from one after one that warms up."""
    way()
    [took], _ = burst(way, 1)
    return max(1, min(MOST_CALLS, int(burst_s / max(took, 1e-7))))


def burst(way: Callable[[], object], calls: int) -> tuple[list[float], float]:
    """Wall seconds of each of so many calls, and CPU seconds of the process a call."""
    took, cpu = [], time.process_time()
    for _ in range(calls):
        start = time.perf_counter()
        way()
        took.append(time.perf_counter() - start)
    return took, (time.process_time() - cpu) / calls
