"""A bandit for each option of a job: values that scored well are tried more often.

Reinforcement learning without states: Thompson sampling (Thompson 1933; Russo et al. 2018, arXiv
1707.02038) with a normal belief about the score of each value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

MOST_VALUES = 8  # of whole numbers that are values of their own; of more any is drawn
LEAST_SPREAD = 1e-6


def belief(tried: Sequence[tuple[int, float]], values: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of what is believed of each value's score, (V,), from trials as (number of
    the value, score).

    The scores of a value are normal, with the deviation of all scores; before any, its mean is
    believed to be that of all scores, with the same deviation.
    """
    number_T = np.array([v for v, _ in tried], dtype=np.int64)
    score_T = np.array([s for _, s in tried], dtype=np.float64)
    count_V = np.bincount(number_T, minlength=values)
    sum_V = np.bincount(number_T, weights=score_T, minlength=values)
    mean_V = (sum_V + score_T.mean()) / (count_V + 1)
    return mean_V, max(float(score_T.std()), LEAST_SPREAD) / np.sqrt(count_V + 1)


def choose(tried: Sequence[tuple[int, float]], values: int, draw: np.random.Generator) -> int:
    """The number of the value to try next: the best of one draw from each belief; any where fewer
    than two trials have a score."""
    if len(tried) < 2:
        return int(draw.integers(values))
    mean_V, deviation_V = belief(tried, values)
    return int(draw.normal(mean_V, deviation_V).argmax())


class BanditSampler(BaseSampler):
    """Draws the value of each option that has a few by `choose`, and any other one evenly.

    Options are bandits apart from one another: with K options of V values each, K V beliefs are
    learned in place of V to the power of K.
    """

    def __init__(self, seed: int) -> None:
        self.draw, self.even = np.random.default_rng(seed), RandomSampler(seed)

    def reseed_rng(self) -> None:
        """Draw otherwise than another process of the same study."""
        self.draw = np.random.default_rng()
        self.even.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """None: every option is drawn alone."""
        del study, trial
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        del study, trial, search_space
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The value of one option."""
        values = values_of(param_distribution)
        if values is None:
            return self.even.sample_independent(study, trial, param_name, param_distribution)
        worse = study.directions[0] == StudyDirection.MINIMIZE
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        scored = [(t, s) for t in done if (s := score_of(t)) is not None]
        tried = [
            (values.index(t.params[param_name]), -score if worse else score)
            for t, score in scored
            if t.params.get(param_name) in values
        ]
        return values[choose(tried, len(values), self.draw)]


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
