"""Margins promise what they say, also of designs that were picked because they look best."""

import numpy as np
import pytest

from modalloy.designing.constraints import parse_constraints
from modalloy.designing.margin import (
    conformal_deviations,
    constraint_scores,
    fit_margin,
    intervals,
    room,
    weighted_threshold,
)
from modalloy.designing.surrogates.surrogate import Predicted
from modalloy.errors import DesignError

NAMES = ["deflection", "f1"]
ASKED = parse_constraints(
    ["deflection <= 0.6 mm", "f1 >= 520 Hz", "f1 <= 900 Hz"], {"deflection": "mm", "f1": "Hz"}
)


def said(mean: list[list[float]], deviation: list[list[float]]) -> Predicted:
    """Predictions of deflection by its logarithm and of a frequency."""
    mean_NO = np.array(mean)
    mean_NO[:, 0] = np.log(mean_NO[:, 0])
    return Predicted(mean_NO, np.array(deviation), np.array([True, False]))


def test_scores_and_room_are_of_the_worst_constraint() -> None:
    predicted = said([[0.5, 560.0], [0.3, 895.0]], [[0.1, 20.0], [0.1, 5.0]])
    score_N = constraint_scores(predicted, np.array([[0.5, 520.0], [0.3, np.nan]]), NAMES, ASKED)
    assert score_N[0] == pytest.approx(2.0)  # 40 Hz lower than said, of 20
    assert np.isnan(score_N[1])
    inside_N = room(predicted, NAMES, ASKED)
    assert inside_N[0] == pytest.approx(min(np.log(0.6 / 0.5) / 0.1, 2.0))
    assert inside_N[1] == pytest.approx(1.0)  # below 900 Hz


def test_a_bound_that_a_logarithm_cannot_reach() -> None:
    (never,) = parse_constraints(["deflection <= -1"], {"deflection": "mm"})
    (always,) = parse_constraints(["deflection >= 0"], {"deflection": "mm"})
    predicted = said([[0.5, 560.0]], [[0.1, 20.0]])
    assert room(predicted, NAMES, [never])[0] == -np.inf
    assert room(predicted, NAMES, [always])[0] == np.inf


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_with_equal_weights_it_is_the_finite_sample_quantile(coverage: float) -> None:
    score_N = np.random.default_rng(0).normal(size=57)
    at = int(np.ceil(58 * coverage - 1e-9))
    assert weighted_threshold(score_N, np.ones(57), coverage) == np.sort(score_N)[at - 1]
    assert weighted_threshold(score_N[:3], np.ones(3), coverage) == np.inf


def test_joint_coverage_on_rows_of_the_same_kind() -> None:
    draw, held = np.random.default_rng(1), []
    for _ in range(600):
        z_NC = draw.standard_t(4, (99, 3)) + draw.normal(size=(99, 1))  # constraints go together
        margin = fit_margin(z_NC.max(1), confidence=0.9)
        new_NC = draw.standard_t(4, (50, 3)) + draw.normal(size=(50, 1))
        held.append(np.mean(new_NC.max(1) <= margin.deviations))
    assert np.mean(held) == pytest.approx(0.9, abs=0.01)


def picks(rounds: int, *, local: bool, seed: int) -> tuple[float, float]:
    """How often a design was within its margin that was picked by its weight, and the cost.

    Of each design the strength y is known with a deviation of 1 and the weight exactly; lighter
    ones are weaker, so the lightest certified one is mostly one that is weaker than predicted.
    """
    draw = np.random.default_rng(seed)
    planned_N, verified, kept, cost = draw.normal(size=400), [], [], []
    for _ in range(rounds):
        y_K = draw.normal(0.0, 3.0, 300)
        mean_K, weight_K = y_K + draw.normal(size=300), y_K + draw.normal(0.0, 1.0, 300)
        margin = fit_margin(planned_N, np.array(verified[-60:]) if local else None, confidence=0.95)
        fit = np.flatnonzero(mean_K - margin.deviations >= 0.0)
        best = fit[np.argmin(weight_K[fit])]
        verified.append(mean_K[best] - y_K[best])
        kept.append(verified[-1] <= margin.deviations)
        cost.append(weight_K[best])
    return float(np.mean(kept[rounds // 4 :])), float(np.mean(cost[rounds // 4 :]))


def test_verified_proposals_bring_the_promise_where_the_optimiser_goes() -> None:
    plain, local = picks(800, local=False, seed=0), picks(800, local=True, seed=0)
    assert plain[0] < 0.9  # what the planned rows promise is 95 %
    assert local[0] == pytest.approx(0.95, abs=0.02)
    assert local[1] > plain[1]


def test_planned_rows_count_for_less_until_verified_ones_suffice() -> None:
    draw = np.random.default_rng(2)
    planned_N, verified_M = draw.normal(size=200), draw.normal(2.0, 1.0, 18)
    alone = fit_margin(planned_N, confidence=0.95)
    some = fit_margin(planned_N, verified_M[:8], confidence=0.95)
    most = fit_margin(planned_N, verified_M, confidence=0.95)
    assert alone.deviations < some.deviations <= most.deviations
    full = fit_margin(planned_N, verified_M, confidence=0.95, elsewhere=1.0)
    assert full.deviations < most.deviations
    enough = fit_margin(planned_N, np.r_[verified_M, 5.0], confidence=0.95)
    assert (enough.planned, enough.verified, enough.deviations) == (200, 19, 5.0)
    sure = fit_margin(planned_N, np.zeros(60), confidence=0.95)
    assert sure.deviations == alone.deviations  # verified rows never take the plan's margin away


def test_too_few_rows_say_how_many_are_needed() -> None:
    score_N = np.r_[np.arange(18.0), np.nan]
    with pytest.raises(DesignError, match=r"a margin for 95.0% needs 19 rows .* there are 18"):
        fit_margin(score_N, confidence=0.95)
    assert fit_margin(np.arange(19.0), confidence=0.95).deviations == 18.0
    assert fit_margin(np.arange(10.0), np.arange(9.0), confidence=0.95).deviations == 9.0


def test_intervals_hold_the_share_that_is_asked() -> None:
    draw, inside = np.random.default_rng(3), []
    log_O = np.array([True, False])
    for _ in range(300):
        mean_NO, deviation_NO = draw.normal(size=(150, 2)), draw.uniform(0.5, 2.0, (150, 2))
        y_NO = mean_NO + 1.7 * deviation_NO * draw.standard_t(3, (150, 2))
        y_NO[:, 0] = np.exp(y_NO[:, 0])
        predicted = Predicted(mean_NO, deviation_NO, log_O)
        wide_O = conformal_deviations(predicted.rows(slice(100)), y_NO[:100], coverage=0.9)
        ends = intervals(predicted.rows(slice(100, None)), wide_O)
        inside.append(((ends.low_NO <= y_NO[100:]) & (y_NO[100:] <= ends.high_NO)).mean(0))
    np.testing.assert_allclose(np.mean(inside, axis=0), [0.9, 0.9], atol=0.015)
    few_O = conformal_deviations(predicted.rows(slice(5)), y_NO[:5], coverage=0.9)
    assert np.isinf(few_O).all()


def test_densities_are_those_of_a_normal_and_a_log_normal() -> None:
    predicted = said([[0.5, 560.0]], [[0.2, 20.0]])
    y = np.linspace(0.1, 3.0, 4001)
    many = Predicted(*(np.repeat(part, len(y), axis=0) for part in predicted[:2]), predicted.log_O)
    y_NO = np.stack([y, 400.0 + 100.0 * y], axis=1)
    density_NO = np.exp(many.log_density(y_NO))
    np.testing.assert_allclose(np.trapezoid(density_NO, y_NO, axis=0), 1.0, atol=1e-3)
    assert predicted.normalised(np.array([[0.5, 580.0]]))[0] == pytest.approx([0.0, 1.0])
    np.testing.assert_allclose(predicted.median_NO, [[0.5, 560.0]])
