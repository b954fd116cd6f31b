"""Weights are the best there are on the simplex, held back where rows are few, and none is tiny."""

from itertools import product

import numpy as np
import pytest

from modalloy.blend import weights
from modalloy.blend.weights import ALIKE, Error, Held, cost, descend, fit_weights, project, worth


def log_rows(draw: np.random.Generator, count: int, sharp: tuple[float, ...]) -> Held:
    """Probabilities of the truth by answers that are right in so many of a hundred rows."""
    right = draw.random((count, len(sharp))) < np.array(sharp)
    x_NM = np.where(right, 0.8, 0.2)
    return Held("log", x_NM, np.zeros(count), np.ones(count), np.arange(count))


def numbers(draw: np.random.Generator, count: int, error: Error, noise: tuple[float, ...]) -> Held:
    """A number and answers with so much noise, part of it common to all."""
    y_N = draw.normal(0, 10, count)
    common = draw.normal(0, 0.5, (count, 1))
    x_NM = y_N[:, None] + common + draw.normal(0, 1, (count, len(noise))) * np.array(noise)
    return Held(error, x_NM, y_N, np.ones(count), np.arange(count))


def every_weight(count: int, steps: int) -> np.ndarray:
    """All weights in so many steps."""
    found = [w for w in product(range(steps + 1), repeat=count) if sum(w) == steps]
    return np.array(found) / steps


def even(held: Held) -> np.ndarray:
    """The same weight for each answer."""
    return np.ones(held.x_NM.shape[1]) / held.x_NM.shape[1]


def free(held: Held) -> np.ndarray:
    """The weights that cost least, whatever was thought before."""
    return descend(held, even(held), 0.0)


@pytest.mark.parametrize("error", ["log", "squared", "absolute"])
def test_they_are_the_best_of_all_on_a_grid(error: Error, draw: np.random.Generator) -> None:
    if error == "log":
        held = log_rows(draw, 400, (0.8, 0.7, 0.5))
    else:
        held = numbers(draw, 400, error, (1.0, 2.0, 6.0))
    w_M = free(held)
    assert w_M.sum() == pytest.approx(1.0)
    assert (w_M >= 0).all()
    scale, grid = held.scale, every_weight(3, 40)
    totals = [held.total(w, scale) for w in grid]
    assert held.total(w_M, scale) <= min(totals) + 1e-4
    assert w_M == pytest.approx(grid[int(np.argmin(totals))], abs=0.03)


def test_squared_errors_of_independent_answers_weigh_by_their_inverse(
    draw: np.random.Generator,
) -> None:
    y_N = draw.normal(0, 1, 20_000)
    x_NM = y_N[:, None] + draw.normal(0, 1, (20_000, 2)) * [1.0, 2.0]
    held = Held("squared", x_NM, y_N, np.ones(20_000), np.arange(20_000))
    assert free(held) == pytest.approx([0.8, 0.2], abs=0.02)  # 1/1 to 1/4


def test_it_does_not_matter_in_which_unit_a_number_is(draw: np.random.Generator) -> None:
    held = numbers(draw, 60, "squared", (1.0, 1.5, 3.0))
    large = Held("squared", held.x_NM * 1e6, held.y_N * 1e6, held.weight_N, held.row_N)
    pulled = [descend(x, even(x), 0.2) for x in (large, held)]
    assert pulled[0] == pytest.approx(pulled[1], abs=1e-4)


def test_few_rows_are_held_back_towards_the_weights_before_them(
    draw: np.random.Generator,
) -> None:
    held = log_rows(draw, 40, (0.8, 0.65))
    far = free(held)[0] - 0.5
    assert far > 0.2
    found = [fit_weights(held, even(held), least=0.0, rows=r)[0] - 0.5 for r in (1, 10, 1e3, 1e6)]
    assert found == sorted(found)
    assert found[0] < 0.2 * far
    assert found[-1] < far  # what holds for these rows may not hold for others
    other = fit_weights(held, np.array([0.0, 1.0]), least=0.0, rows=1)
    assert other[0] < found[0] + 0.5


def test_rows_that_belong_together_tell_less() -> None:
    assert worth(["a", "b", "c", "d"]) == 4.0
    assert worth(["a"] * 100) == pytest.approx(100 / (1 + 99 * ALIKE))
    assert worth(["a"] * 4 + ["b"] * 4) == pytest.approx(8 / (1 + 3 * ALIKE))


def test_none_is_below_the_least_and_what_stays_is_fitted_again(draw: np.random.Generator) -> None:
    held = log_rows(draw, 300, (0.8, 0.75, 0.7, 0.68, 0.66))
    every, kept = (fit_weights(held, even(held), least=low) for low in (0.0, 0.25))
    assert ((kept == 0.0) | (kept >= 0.25)).all()
    assert kept.sum() == pytest.approx(1.0)
    assert 0 < (kept > 0).sum() < (every > 0).sum()
    some = Held("log", held.x_NM[:, kept > 0], held.y_N, held.weight_N, held.row_N)
    again = descend(some, even(some), weights.PRIOR_ROWS / 300 + weights.LASTING)
    assert kept[kept > 0] == pytest.approx(again, abs=1e-6)


def test_equal_answers_give_one_sum_and_a_single_one_all(draw: np.random.Generator) -> None:
    one = log_rows(draw, 40, (0.7,))
    assert fit_weights(one, np.ones(1), least=0.05).tolist() == [1.0]
    twice = Held("log", np.repeat(one.x_NM, 2, 1), one.y_N, one.weight_N, one.row_N)
    both = [fit_weights(twice, np.ones(2), least=0.05) for _ in range(2)]
    assert both[0].sum() == pytest.approx(1.0)
    assert np.array_equal(*both)


@pytest.mark.parametrize("error", ["log", "squared", "absolute"])
def test_slopes_are_those_of_the_losses(error: Error, draw: np.random.Generator) -> None:
    z_N, y_N = draw.uniform(0.1, 0.9, 50), draw.normal(0, 1, 50)
    low, high = (cost(error, z_N + step, y_N, 0.7)[0] for step in (-1e-6, 1e-6))
    assert cost(error, z_N, y_N, 0.7)[1] == pytest.approx((high - low) / 2e-6, rel=1e-4)


def test_projection_is_the_nearest_of_a_grid(draw: np.random.Generator) -> None:
    grid = every_weight(3, 50)
    for v_M in draw.normal(0, 1, (20, 3)):
        found = project(v_M)
        assert found.sum() == pytest.approx(1.0)
        nearest = grid[np.argmin(((grid - v_M) ** 2).sum(1))]
        assert ((found - v_M) ** 2).sum() <= ((nearest - v_M) ** 2).sum() + 1e-12


def test_one_row_that_is_surely_wrong_does_not_decide_alone() -> None:
    """It costs as much as a few coins that were tossed, however sure the answer was."""
    nearly = np.full(200, 0.9)
    sure = np.append(np.full(199, 0.999), 1e-30)
    x_NM = np.stack([nearly, sure], axis=1)
    held = Held("log", x_NM, np.zeros(200), np.ones(200), np.arange(200))
    assert held.each(1.0)[1] < held.each(1.0)[0]
    assert free(held)[1] > 0.5
