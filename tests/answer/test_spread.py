"""Intervals are wider where answers are further off, and hold what they promise all the same."""

import numpy as np
import pytest

from modalloy.answer.promise import promises_from_bytes, promises_to_bytes
from modalloy.answer.row_groups import RowGroup
from modalloy.answer.spread import BINS, FEWEST, PULL, Spread, learn_spread
from modalloy.answer.thresholds import Thresholds
from modalloy.judge.calibrated import band

WHOLE = RowGroup()


def rows(draw: np.random.Generator, count: int, *, growing: bool = True) -> tuple[dict, np.ndarray]:
    """Answers from 0 to 1 whose errors grow twentyfold with them, or do not."""
    value = draw.random(count)
    size = 0.1 + 1.9 * value if growing else np.ones(count)
    return {"value": value}, value + size * draw.normal(0, 1, count)


def fit(answer: dict, y: np.ndarray) -> Thresholds:
    return Thresholds.fit("residual", answer, y, [WHOLE] * len(y), coverage=0.9)


def coverage(found: Thresholds, answer: dict, y: np.ndarray) -> np.ndarray:
    ends = found.apply(answer, [WHOLE] * len(y))
    return (ends["low"] <= y) & (y <= ends["high"])


def test_intervals_follow_the_size_of_errors(draw: np.random.Generator) -> None:
    found = fit(*rows(draw, 1000))
    assert found.method == "spread"
    answer, y = rows(draw, 4000)
    inside, ends = coverage(found, answer, y), found.apply(answer, [WHOLE] * 4000)
    width, low = ends["high"] - ends["low"], answer["value"] < 0.2
    assert width[answer["value"] > 0.8].mean() > 4 * width[low].mean()
    assert inside[low].mean() == pytest.approx(0.9, abs=0.05)
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    same = Thresholds.fit("quantiles", {**answer, "quantiles": np.tile(answer["value"], (2, 1)).T},
                          y, [WHOLE] * 4000, coverage=0.9, quantiles=(0, 1))  # fmt: skip
    equal = same.apply({"quantiles": np.tile(answer["value"], (2, 1)).T}, [WHOLE] * 4000)
    assert width.mean() < 0.9 * (equal["high"] - equal["low"]).mean()
    assert ((equal["low"] <= y) & (y <= equal["high"]))[low].mean() > 0.98  # all too wide there


def test_errors_of_one_size_keep_one_width(draw: np.random.Generator) -> None:
    found = [fit(*rows(draw, 200, growing=False)) for _ in range(20)]
    assert sum(f.method == "residual" for f in found) >= 18
    assert all(f.spread is None for f in found if f.method == "residual")


def test_coverage_lies_in_its_band_over_many_draws(draw: np.random.Generator) -> None:
    """Though the spread is learned from the same rows as the threshold."""
    shares = []
    for _ in range(200):
        found = fit(*rows(draw, 120))
        shares.append(coverage(found, *rows(draw, 400)).mean())
    assert np.mean(shares) == pytest.approx(109 / 121, abs=0.008)  # rank 109 of 120
    low, high = band(120, 400, 0.9)
    assert np.mean([low <= s <= high for s in shares]) > 0.9


def test_a_spread_is_the_pulled_mean_of_each_bin(draw: np.random.Generator) -> None:
    value, error = draw.permutation(100.0 + np.arange(50)), draw.random(50)
    found = Spread.fit(value, error)
    order = np.argsort(value)
    for k in range(BINS):
        own = order[5 * k : 5 * k + 5]
        expected = (error[own].sum() + PULL * error.mean()) / (5 + PULL)
        assert found.size_K[k] == pytest.approx(max(expected, 0.1 * error.mean()))
        assert found.at_K[k] == pytest.approx(value[own].mean())
    assert found.of(np.array([-1e9, 1e9])).tolist() == [found.size_K[0], found.size_K[-1]]


def test_no_row_has_a_say_in_its_own_spread(draw: np.random.Generator) -> None:
    answer, y = rows(draw, 300)
    error = np.abs(y - answer["value"])
    learned = learn_spread(answer["value"], error)
    assert learned is not None
    error[7] *= 50.0
    again = learn_spread(answer["value"], error)
    assert again is not None
    assert again[1][7] == learned[1][7]
    assert (again[1] != learned[1]).any()


def test_too_few_rows_learn_no_spread(draw: np.random.Generator) -> None:
    answer, y = rows(draw, FEWEST)
    error = np.abs(y - answer["value"])
    assert learn_spread(answer["value"], error) is not None
    assert learn_spread(answer["value"][1:], error[1:]) is None
    assert learn_spread(answer["value"], 0 * error) is None


def test_it_survives_as_json(draw: np.random.Generator) -> None:
    answer, y = rows(draw, 300)
    found = fit(answer, y)
    back = promises_from_bytes(promises_to_bytes({"load": found}))["load"]
    assert back == found
    state = found.state()
    del state["spread"]  # as the first form wrote thresholds
    assert Thresholds.from_state({**state, "method": "residual"}).spread is None
