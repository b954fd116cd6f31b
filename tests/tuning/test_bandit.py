"""A bandit believes what a normal prior and its trials say, and tries what is good more often."""

from typing import Literal

import numpy as np
import optuna
import pytest

from modalloy.tuning.bandit import NOISE, BanditSampler, Way, belief, choose


def test_beliefs_of_one_option_are_those_of_a_conjugate_normal_prior(
    draw: np.random.Generator,
) -> None:
    tried = [((int(draw.integers(3)),), float(draw.normal())) for _ in range(12)]
    scores = np.array([score for _, score in tried])
    z_T = (scores - scores.mean()) / scores.std()
    mean_V, covariance_VV = belief(tried, [4])  # nothing is known of the fourth
    for value in range(4):
        own = [z for ((v,), _), z in zip(tried, z_T, strict=True) if v == value]
        precision = 1.0 + len(own) / NOISE**2
        assert mean_V[value] == pytest.approx(sum(own) / NOISE**2 / precision)
        assert covariance_VV[value, value] == pytest.approx(1.0 / precision)


def test_a_value_is_not_good_because_others_were_tried_with_it() -> None:
    """The second option adds nothing, though its first value mostly met the better first one."""
    tried = [((1, 0), 1.0)] * 8 + [((0, 1), 0.0)] * 8 + [((1, 1), 1.0), ((0, 0), 0.0)]
    mean_V, _ = belief(tried, [2, 2])
    assert mean_V[1] - mean_V[0] > 4 * abs(mean_V[2] - mean_V[3])


def test_it_tries_the_best_of_three_more_often_than_chance(draw: np.random.Generator) -> None:
    tried: list[tuple[Way, float]] = []
    for _ in range(60):
        (value,) = choose(tried, [3], draw)
        tried.append(((value,), float(draw.normal((0.0, 0.5, 1.5)[value], 0.5))))
    counts = np.bincount([v for (v,), _ in tried], minlength=3)
    assert counts[2] > 35
    assert counts.min() > 0


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_optuna_asks_it_for_few_values_and_draws_the_rest_evenly(
    direction: Literal["maximize", "minimize"],
) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sign = 1.0 if direction == "maximize" else -1.0

    def score(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind", ["sum", "gated", "attention"])
        layers = trial.suggest_int("layers", 1, 3)
        rate = trial.suggest_float("rate", 0.0, 1.0)
        return sign * ((kind == "gated") + 0.5 * (layers == 3) + 0.01 * rate)

    study = optuna.create_study(direction=direction, sampler=BanditSampler(0))
    study.optimize(score, n_trials=40)
    later = study.trials[15:]
    assert np.mean([t.params["kind"] == "gated" for t in later]) > 0.6
    assert np.mean([t.params["layers"] == 3 for t in later]) > 0.6
    assert len({t.params["rate"] for t in study.trials}) == 40
    again = optuna.create_study(direction=direction, sampler=BanditSampler(0))
    again.optimize(score, n_trials=5)
    assert [t.params for t in again.trials] == [t.params for t in study.trials[:5]]
