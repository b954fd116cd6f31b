"""Weights are the best there are on the simplex, held back where rows are few, and none is tiny."""

from itertools import product

import numpy as np
import pytest

from modalloy.blend import weights
from modalloy.blend.weights import Error, Held, cost, descend, fit_weights, project


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


@pytest.mark.parametrize("error", ["log", "squared", "absolute"])
def test_they_are_the_best_of_all_on_a_grid(
    error: Error, draw: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PRIOR_ROWS", 0.0)
    if error == "log":
        held = log_rows(draw, 400, (0.8, 0.7, 0.5))
    else:
        held = numbers(draw, 400, error, (1.0, 2.0, 6.0))
    w_M = descend(held)
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
    assert descend(held) == pytest.approx([0.8, 0.2], abs=0.02)  # 1/1 to 1/4


def test_it_does_not_matter_in_which_unit_a_number_is(draw: np.random.Generator) -> None:
    held = numbers(draw, 60, "squared", (1.0, 1.5, 3.0))
    large = Held("squared", held.x_NM * 1e6, held.y_N * 1e6, held.weight_N, held.row_N)
    assert descend(large) == pytest.approx(descend(held), abs=1e-4)


def test_few_rows_are_held_back_towards_the_best_single_answer(
    draw: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = log_rows(draw, 30, (0.7, 0.7))
    first, other = held.each(1.0)
    best = int(np.argmin([first, other]))
    found = []
    for rows in (0.0, 2.0, 200.0):
        monkeypatch.setattr(weights, "PRIOR_ROWS", rows)
        found.append(descend(held)[best])
    assert found[0] < found[1] < found[2]


def test_none_is_below_the_least_and_what_stays_is_fitted_again(draw: np.random.Generator) -> None:
    held = log_rows(draw, 300, (0.8, 0.75, 0.7, 0.68, 0.66))
    free, kept = fit_weights(held, least=0.0), fit_weights(held, least=0.25)
    assert ((kept == 0.0) | (kept >= 0.25)).all()
    assert kept.sum() == pytest.approx(1.0)
    assert 0 < (kept > 0).sum() < (free > 0).sum()
    some = Held("log", held.x_NM[:, kept > 0], held.y_N, held.weight_N, held.row_N)
    assert kept[kept > 0] == pytest.approx(descend(some), abs=1e-6)


def test_equal_answers_give_one_sum_and_a_single_one_all(draw: np.random.Generator) -> None:
    one = log_rows(draw, 40, (0.7,))
    assert fit_weights(one, least=0.05).tolist() == [1.0]
    twice = Held("log", np.repeat(one.x_NM, 2, 1), one.y_N, one.weight_N, one.row_N)
    assert fit_weights(twice, least=0.05).sum() == pytest.approx(1.0)
    assert np.array_equal(fit_weights(twice, least=0.05), fit_weights(twice, least=0.05))


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
    assert fit_weights(held, least=0.05)[1] > 0.5
