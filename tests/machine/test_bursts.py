"""Ways are timed side by side: ratios hold while the machine itself becomes slower."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from modalloy.machine import bursts
from modalloy.machine.bursts import Timing, faster, interleaved


class Clock:
    """A clock that moves when a way is called; the machine slows down by a tenth a round."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slower, self.order = 0.0, 1.0, [""]
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: self.now / 2)

    def way(self, name: str, seconds: float) -> Callable[[], None]:
        """Takes so long."""

        def call() -> None:
            self.order.append(name)
            self.now += seconds * self.slower
            self.slower *= 1.001

        return call


def test_figures_of_single_calls_and_rounds() -> None:
    call_s_RC = np.array([[0.001, 0.002, 0.009], [0.003, 0.004, 0.005], [0.002, 0.002, 0.100]])
    timing = Timing(call_s_RC, np.array([0.01, 0.03, 0.02]))
    assert timing.round_s_R.tolist() == [0.002, 0.004, 0.002]
    assert timing.median_s == 0.002
    assert timing.p50_ms == pytest.approx(3.0)
    assert timing.p99_ms == pytest.approx(np.percentile(call_s_RC, 99) * 1e3)
    assert timing.cpu_ms == pytest.approx(20.0)


def test_rounds_visit_every_way_and_begin_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    ways = {"a": clock.way("a", 0.02), "b": clock.way("b", 1.0)}
    found = interleaved(ways, rounds=4, burst_s=0.1)
    assert found["a"].call_s_RC.shape == (4, 4)  # the fifth call would not fit
    assert found["b"].call_s_RC.shape == (4, 1)
    assert found["a"].cpu_s_R == pytest.approx(found["a"].call_s_RC.mean(1) / 2)
    said = "".join(clock.order[5:])  # after two calls of each
    assert said == "aaaab" + "baaaa" + "aaaab" + "baaaa"


def test_a_machine_that_becomes_slower_does_not_change_the_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    found = interleaved({"slow": clock.way("s", 0.3), "fast": clock.way("f", 0.1)}, rounds=40)
    assert found["slow"].round_s_R[-1] > 1.05 * found["slow"].round_s_R[0]
    ratio = faster(found["slow"], found["fast"])
    assert ratio.value == pytest.approx(3.0, rel=0.01)
    assert ratio.low <= ratio.value <= ratio.high
    back = faster(found["fast"], found["slow"])
    assert back.value == pytest.approx(1 / 3, rel=0.01)


def test_the_spread_of_a_ratio_covers_what_rounds_say() -> None:
    covered, widths = 0, []
    for seed in range(60):
        own = np.random.default_rng(seed)
        slow, fast = (m * own.lognormal(0, 0.1, (25, 1)) for m in (2.0, 1.0))
        ratio = faster(Timing(slow, np.ones(25)), Timing(fast, np.ones(25)), seed=seed)
        covered += ratio.low <= 2.0 <= ratio.high
        widths.append(ratio.high - ratio.low)
    assert covered >= 52  # of 60 at 95 %
    assert np.mean(widths) < 0.4


def test_the_round_that_passes_the_limit_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = interleaved({"a": clock.way("a", 1.0)}, rounds=100, most_s=4.5)
    assert found["a"].call_s_RC.shape == (5, 1)


def test_real_calls_take_time() -> None:
    found = interleaved({"sleep": lambda: time.sleep(0.002), "no": lambda: None}, rounds=3)
    assert found["sleep"].p50_ms >= 2.0
    assert found["sleep"].cpu_ms < found["sleep"].p50_ms
    assert found["no"].call_s_RC.shape[1] == bursts.MOST_CALLS
    assert faster(found["sleep"], found["no"]).low > 10
