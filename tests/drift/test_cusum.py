"""Cumulative sums: Siegmund's formula, false alarms over many clean streams, and what is found."""

import math

import numpy as np
import pytest

from modalloy.drift.cusum import (
    RATE,
    SLACK,
    Usual,
    alarms_each,
    largest_excursion,
    usual_of,
)


def siegmund(limit: float) -> float:
    """Numbers until a false alarm in the mean, of a two-sided sum over normal numbers (Siegmund
    1985): the oracle."""
    b = limit + 1.166
    return (math.exp(2 * SLACK * b) - 2 * SLACK * b - 1) / (2 * SLACK**2) / 2


def test_limit_is_the_one_of_siegmunds_formula() -> None:
    known = np.random.default_rng(0).normal(5.0, 2.0, 20_000)
    found = usual_of(known, length=200, draw=np.random.default_rng(1))
    assert found is not None
    assert (found.mean, found.deviation) == pytest.approx((5.0, 2.0), abs=0.05)
    assert siegmund(found.limit) == pytest.approx(RATE, rel=0.15)


@pytest.mark.parametrize("law", ["normal", "heavy", "skewed"])
def test_at_most_one_false_alarm_in_a_thousand_over_many_clean_streams(law: str) -> None:
    draw, counts = np.random.default_rng(3), []

    def numbers(count: int) -> np.ndarray:
        match law:
            case "normal":
                return draw.normal(size=count)
            case "heavy":
                return draw.standard_t(3, size=count)
            case _:
                return draw.exponential(size=count)

    for world in range(12):
        usual = usual_of(numbers(300), length=50, draw=np.random.default_rng(world))
        assert usual is not None
        z_SN = np.stack([usual.standardised(numbers(RATE)) for _ in range(50)])
        counts.append(float(alarms_each(z_SN, np.array([usual.limit]))[0]))
    error = float(np.std(counts) / math.sqrt(len(counts)))
    assert float(np.mean(counts)) <= 1.0 + 2.0 * error
    assert float(np.mean(counts)) > 0.4  # nor is the limit needlessly high


@pytest.mark.parametrize("side", [1, -1])
def test_a_shift_is_noticed_dated_and_has_a_side(side: int) -> None:
    draw = np.random.default_rng(5)
    usual = usual_of(draw.normal(2.0, 0.1, 400), length=600, draw=draw)
    assert usual is not None
    x_N = draw.normal(2.0, 0.1, 600)
    x_N[400:] += 0.1 * side
    found = largest_excursion(usual.standardised(x_N), usual.limit)
    assert found is not None
    assert found.side == side
    assert 385 <= found.began <= 415
    assert found.began < found.noticed <= 440
    assert usual.chance(found.peak) < 0.01
    assert usual.chance(0.0) == 1.0


def test_sums_are_those_of_the_plain_definition() -> None:
    z_N = np.random.default_rng(0).normal(0.3, 1.0, 300)
    high, sums = 0.0, []
    for z in z_N:
        high = max(0.0, high + z - SLACK)
        sums.append(high)
    found = largest_excursion(z_N, 4.0)
    assert found is not None
    at = int(np.argmax(sums))
    assert found.peak == pytest.approx(max(sums))
    assert found.began == max((i for i in range(at) if sums[i] == 0.0), default=-1) + 1
    assert found.noticed == next(i for i in range(found.began, 300) if sums[i] > 4.0)
    assert largest_excursion(z_N, max(sums) + 1.0) is None


def test_one_wild_number_is_no_alarm_and_a_missing_one_changes_nothing() -> None:
    draw = np.random.default_rng(2)
    usual = usual_of(draw.normal(size=300), length=100, draw=draw)
    assert isinstance(usual, Usual)
    x_N = np.zeros(100)
    x_N[50] = 1e6
    assert largest_excursion(usual.standardised(x_N), usual.limit) is None
    z_N = draw.normal(1.0, 1.0, 60)
    gone = np.insert(z_N, 30, np.nan)
    both = [largest_excursion(z, usual.limit) for z in (z_N, gone)]
    assert both[0] is not None
    assert both[1] is not None
    assert both[0].peak == pytest.approx(both[1].peak)


def test_numbers_that_are_all_alike_say_nothing() -> None:
    for numbers in (np.full(50, 3.0), np.array([1.0]), np.zeros(9)):
        assert usual_of(numbers, length=10, draw=np.random.default_rng(0)) is None
