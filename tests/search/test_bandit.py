"""A bandit believes what a normal prior and its trials say, and tries what is good more often."""

from typing import Literal

import numpy as np
import optuna
import pytest

from modalloy.search.bandit import BanditSampler, belief, choose


def test_beliefs_are_those_of_a_conjugate_normal_prior(draw: np.random.Generator) -> None:
    tried = [(int(draw.integers(3)), float(draw.normal())) for _ in range(12)]
    scores = np.array([score for _, score in tried])
    known_variance, prior = scores.var(), scores.mean()
    mean_V, deviation_V = belief(tried, 4)  # nothing is known of the fourth
    for value in range(4):
        own = [score for v, score in tried if v == value]
        precision = 1 / known_variance + len(own) / known_variance  # prior and trials alike
        mean = (prior / known_variance + sum(own) / known_variance) / precision
        assert mean_V[value] == pytest.approx(mean)
        assert deviation_V[value] == pytest.approx(precision**-0.5)


def test_it_draws_the_best_of_three_more_often_than_chance(draw: np.random.Generator) -> None:
    tried: list[tuple[int, float]] = []
    for _ in range(60):
        value = choose(tried, 3, draw)
        tried.append((value, float(draw.normal((0.0, 0.5, 1.5)[value], 0.5))))
    counts = np.bincount([v for v, _ in tried], minlength=3)
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
    assert np.mean([t.params["kind"] == "gated" for t in later]) > 0.5
    assert np.mean([t.params["layers"] == 3 for t in later]) > 0.4
    assert len({t.params["rate"] for t in study.trials}) == 40
    again = optuna.create_study(direction=direction, sampler=BanditSampler(0))
    again.optimize(score, n_trials=5)
    assert [t.params for t in again.trials] == [t.params for t in study.trials[:5]]
