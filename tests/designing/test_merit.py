"""Weighed objectives, shortfalls and expected gains agree with what they are by definition."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

import cantilevers
from modalloy.designing.merit import (
    Asked,
    best_kept,
    expected_gain,
    kept_front,
    log_improvement,
    objective_values,
    shortfalls,
    terms_of,
)
from modalloy.designing.problem import Rows, best_row, shortfall
from modalloy.designing.surrogates.surrogate import Predicted

PLAIN = np.zeros(3, dtype=bool)
ROWS = Rows(
    np.zeros((4, 16)), np.array([[2.0, 2.0, 40.0], [1.0, 4.0, 30.0], [3, 1, 50], [np.nan] * 3])
)
ASKED = ("deflection <= 3 mm", "35 Hz <= f1 <= 60 Hz")


def way(margin: float, hope: float, weight: tuple[float, ...] = (1.0,)) -> Asked:
    return Asked(torch.tensor([weight]), torch.tensor([margin]), torch.tensor([hope]))


def test_shortfalls_are_in_deviations_of_each_output() -> None:
    terms = terms_of(cantilevers.problem(*ASKED), ROWS, PLAIN)
    mean_SO, deviation_SO = torch.tensor([[1.5, 2.9, 58.0]]), torch.tensor([[0.1, 0.2, 3.0]])
    short_SC = shortfalls(terms, mean_SO, deviation_SO, way(2.0, 0.0))
    of_deflection, of_f1 = np.array([2, 4, 1]).std(), np.array([40, 30, 50]).std()
    expected = [(2.9 - 3 + 0.4) / of_deflection, (58 - 60 + 6) / of_f1, (35 - 58 + 6) / of_f1]
    np.testing.assert_allclose(short_SC[0].numpy(), expected, rtol=1e-6)
    free = terms_of(cantilevers.problem(), ROWS, PLAIN)
    assert (shortfalls(free, mean_SO, deviation_SO, way(2.0, 0.0)) < 0).all()


def test_one_objective_is_taken_as_it_is_and_several_by_their_worst() -> None:
    mean_SO, deviation_SO = torch.tensor([[1.5, 2.0, 45.0]]), torch.tensor([[0.1, 0.2, 3.0]])
    one = terms_of(cantilevers.problem(*ASKED), ROWS, PLAIN)
    plain = float(objective_values(one, mean_SO, deviation_SO, way(0.0, 0.0)))
    hoped = float(objective_values(one, mean_SO, deviation_SO, way(0.0, 2.0)))
    mass = np.array([2.0, 1, 3]).std()
    assert plain - hoped == pytest.approx(0.2 / mass, rel=1e-5)
    both = cantilevers.problem(*ASKED, seek=(("mass", "minimise"), ("f1", "maximise")))
    terms = terms_of(both, ROWS, PLAIN)
    f1 = np.array([40.0, 30, 50]).std()
    # The best of runs that keep everything, 2 kg and 50 Hz, and a tenth of a deviation beyond.
    f_K = [0.3 * (1.5 - 2.0) / mass + 0.03, 0.7 * (-45.0 + 50.0) / f1 + 0.07]
    found = float(objective_values(terms, mean_SO, deviation_SO, way(0.0, 0.0, (0.3, 0.7))))
    assert found == pytest.approx(max(f_K) + 0.05 * sum(f_K), rel=1e-4)


def test_the_expected_gain_is_its_integral_times_the_chance_of_keeping_all() -> None:
    problem = cantilevers.problem(*ASKED)
    terms = terms_of(problem, ROWS, PLAIN)
    said = Predicted(np.array([[2.1, 2.8, 37.0]]), np.array([[0.3, 0.4, 2.0]]), PLAIN)
    gain = quad(lambda m: max(2.0 - m, 0) * norm.pdf(m, 2.1, 0.3), 0.0, 2.0)[0]
    chance = norm.cdf(0.5) * norm.sf(-1.0) * norm.cdf(11.5)
    best = best_kept(problem, ROWS, PLAIN)
    assert best == 2.0
    assert expected_gain(terms, said, best)[0] == pytest.approx(np.log(gain * chance), abs=1e-6)
    assert expected_gain(terms, said, None)[0] == pytest.approx(np.log(chance), abs=1e-9)


def test_improvement_is_exact_near_zero_and_finite_far_below() -> None:
    z = np.array([-5.0, -1.0, 0.0, 3.0])
    np.testing.assert_allclose(log_improvement(z), np.log(norm.pdf(z) + z * norm.cdf(z)), rtol=1e-9)
    far = log_improvement(np.array([-6.5, -20.0, -1000.0]))
    assert np.isfinite(far).all()
    exact = np.log(quad(lambda x: (x - 6.5) * norm.pdf(x), 6.5, 12)[0])
    assert far[0] == pytest.approx(exact, abs=0.08)


def test_runs_are_judged_by_what_they_keep() -> None:
    problem = cantilevers.problem(*ASKED)
    assert problem.kept(ROWS.y_NO).tolist() == [True, False, True, False]
    short_N = shortfall(problem, ROWS.y_NO)
    assert short_N[0] == short_N[2] == 0.0
    assert short_N[1] == pytest.approx(1 / np.array([2, 4, 1]).std() + 5 / np.std([40, 30, 50]))
    assert np.isinf(short_N[3])
    assert best_row(problem, ROWS) == 0
    assert best_row(cantilevers.problem("deflection <= 0.5 mm"), ROWS) == 2  # nearest to it
    assert best_row(problem, Rows(ROWS.u_ND[3:], ROWS.y_NO[3:])) is None
    both = cantilevers.problem(*ASKED, seek=(("mass", "minimise"), ("f1", "maximise")))
    assert kept_front(both, ROWS, PLAIN).tolist() == [[2.0, -40.0], [3.0, -50.0]]
