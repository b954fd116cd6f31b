"""A bandit over the options of a job: values that scored well are tried more often.

Reinforcement learning without states: Thompson sampling (Thompson 1933) with a linear belief of
what each value adds to the score (Agrawal & Goyal 2013, arXiv 1209.3352).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import intersection_search_space
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

MOST_VALUES = 8  # of whole numbers that are values of their own; of more any is drawn
NOISE = 0.5  # deviation of scores of one way, where that of all scores is 1
LEAST_SPREAD = 1e-6

Way = tuple[int, ...]  # the number of each option's value


def belief(
    tried: Sequence[tuple[Way, float]], sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (V,) and covariance (V, V) of what each value of each option is believed to add to a
    score, values of all options in a row.

    Scores are counted from their mean in their deviations. What values add is normal with deviation
    1 before any trial; it is added up over options, so that a value is not thought good because
    others were tried with it.
    """
    start_O = np.cumsum([0, *sizes[:-1]])
    x_TV = np.zeros((len(tried), sum(sizes)))
    for t, (way, _) in enumerate(tried):
        x_TV[t, start_O + np.array(way)] = 1.0
    score_T = np.array([score for _, score in tried])
    z_T = (score_T - score_T.mean()) / max(float(score_T.std()), LEAST_SPREAD)
    covariance_VV = np.linalg.inv(np.eye(sum(sizes)) + x_TV.T @ x_TV / NOISE**2)
    return covariance_VV @ x_TV.T @ z_T / NOISE**2, covariance_VV


def choose(
    tried: Sequence[tuple[Way, float]], sizes: Sequence[int], draw: np.random.Generator
) -> Way:
    """The way to try next: of each option the best value by one draw from the belief; any where
    fewer than two have a score.
    """
    if len(tried) < 2:
        return tuple(int(draw.integers(size)) for size in sizes)
    drawn_V = draw.multivariate_normal(*belief(tried, sizes))
    return tuple(int(own.argmax()) for own in np.split(drawn_V, np.cumsum(sizes)[:-1]))


class BanditSampler(BaseSampler):
    """Draws options that have a few values by `choose`, and any other one evenly."""

    def __init__(self, seed: int) -> None:
        self.draw, self.even = np.random.default_rng(seed), RandomSampler(seed)

    def reseed_rng(self) -> None:
        """Draw otherwise than another process of the same study."""
        self.draw = np.random.default_rng()
        self.even.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The options of few values that every scored trial has."""
        del trial
        found = intersection_search_space(study.get_trials(deepcopy=False))
        return {name: own for name, own in found.items() if values_of(own) is not None}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Their values."""
        del trial
        if not search_space:
            return {}
        values = {name: values_of(own) or [] for name, own in search_space.items()}
        sign = -1.0 if study.directions[0] == StudyDirection.MINIMIZE else 1.0
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        scored = [
            (t.params, score)
            for t in study.get_trials(deepcopy=False, states=states)
            if (score := score_of(t)) is not None
        ]
        tried = [
            (tuple(own.index(params[n]) for n, own in values.items()), sign * score)
            for params, score in scored
            if all(params.get(n) in own for n, own in values.items())
        ]
        way = choose(tried, [len(own) for own in values.values()], self.draw)
        return {n: own[v] for (n, own), v in zip(values.items(), way, strict=True)}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The value of any other option."""
        return self.even.sample_independent(study, trial, param_name, param_distribution)


def score_of(trial: FrozenTrial) -> float | None:
    """The score of a trial; of one that was ended early, the last that it reported."""
    if trial.state == TrialState.COMPLETE:
        return None if trial.values is None else trial.values[0]
    looks = trial.intermediate_values
    return looks[max(looks)] if looks else None


def values_of(among: BaseDistribution) -> list[Any] | None:
    """The values of an option, where they are few."""
    if isinstance(among, CategoricalDistribution):
        return list(among.choices)
    if isinstance(among, IntDistribution) and not among.log:
        values = list(range(among.low, among.high + 1, among.step))
        return values if len(values) <= MOST_VALUES else None
    return None
