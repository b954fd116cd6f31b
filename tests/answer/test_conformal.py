"""Thresholds are those of MAPIE on the same scores, and hold what they promise."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from modalloy.answer.conformal import (
    class_scores,
    fewest,
    interval_scores,
    label_scores,
    penalties,
    rank,
    summed,
    threshold,
    widened,
    within,
)

CLASSES, ROWS, SEED = 5, 400, 7


class Given(ClassifierMixin, BaseEstimator):
    """Answers each row with the probabilities that it is."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Given":
        self.classes_ = np.arange(CLASSES)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(1)


class Answers(RegressorMixin, BaseEstimator):
    """Answers each row with its first number."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Answers":
        self.fitted_ = True
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0]


def classes(draw: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and classes drawn from sharper ones."""
    logits = draw.normal(0, 1.5, (rows, CLASSES))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    sharp = p**1.4 / (p**1.4).sum(1, keepdims=True)
    return p, np.minimum((sharp.cumsum(1) < draw.random((rows, 1))).sum(1), CLASSES - 1)


@pytest.mark.parametrize("kind", ["lac", "aps", "raps"])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_thresholds_and_sets_are_those_of_mapie(
    kind: str, coverage: float, draw: np.random.Generator
) -> None:
    from mapie.classification import SplitConformalClassifier

    p, true = classes(draw, ROWS)
    new, _ = classes(draw, 100)
    mapie = SplitConformalClassifier(
        Given().fit(p, true),
        confidence_level=coverage,
        conformity_score=kind,
        prefit=True,
        random_state=SEED,
    )
    last = {} if kind == "lac" else {"include_last_label": "randomized"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapie.conformalize(p, true)
        sets = mapie.predict_set(new, conformity_score_params=last)[1][:, :, 0]
    inner = mapie._mapie_classifier
    quantile = float(np.ravel(inner.conformity_score_function_.quantiles_)[0])
    spare = np.random.RandomState(SEED).uniform(size=100)
    if kind == "lac":
        ours = class_scores(p, "lac")[np.arange(ROWS), true]
        score = class_scores(new, "lac")
    else:
        ours = np.ravel(inner.conformity_scores_)  # of the rows that its own split left
        score = summed(new, spare)
    if kind == "raps":
        function = inner.conformity_score_function_
        free, cost = float(np.ravel(function.k_star)[0]), float(np.ravel(function.lambda_star)[0])
        ours = ours + np.maximum(cost * (function.cutoff - free), 0.0)
        score = score + penalties(new, free, cost)
    if kind == "aps":
        drawn = np.random.RandomState(SEED).uniform(size=ROWS)
        own = class_scores(p, "aps", u_B=drawn)[np.arange(ROWS), true]
        assert own == pytest.approx(ours, abs=1e-6)
    limit = threshold(ours, coverage)
    assert limit == pytest.approx(quantile, abs=1e-6)
    # Of `raps` MAPIE draws anew whether the last class stays, by another formula than its scores'.
    assert (within(score, limit) != sets).sum() <= (5 if kind == "raps" else 0)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_intervals_are_those_of_mapie(coverage: float, draw: np.random.Generator) -> None:
    from mapie.regression import SplitConformalRegressor

    x = draw.normal(0, 1, (ROWS, 1))
    y = x[:, 0] + draw.standard_t(3, ROWS)
    mapie = SplitConformalRegressor(Answers().fit(x, y), confidence_level=coverage, prefit=True)
    mapie.conformalize(x, y)
    low, high = mapie.predict_interval(x[:20])[1][:, :, 0].T
    limit = threshold(interval_scores(x[:, 0], x[:, 0], y), coverage)
    mine = widened(x[:20, 0], x[:20, 0], limit)
    assert mine[0] == pytest.approx(low, abs=1e-6)
    assert mine[1] == pytest.approx(high, abs=1e-6)


def test_a_threshold_is_the_finite_sample_quantile() -> None:
    assert [fewest(c) for c in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    for coverage in (0.5, 0.8, 0.9, 0.95):
        need = fewest(coverage)
        assert rank(need, coverage) == need
        assert rank(need - 1, coverage) > need - 1
    assert threshold(np.arange(9.0), 0.9) == 8.0
    assert threshold(np.arange(8.0), 0.9) == np.inf
    assert threshold(np.arange(99.0)[::-1], 0.9) == 89.0
    assert threshold(np.array([np.nan, *np.arange(9.0)]), 0.9) == 8.0


@pytest.mark.parametrize("kind", ["lac", "aps", "raps"])
def test_sets_hold_the_truth_as_often_as_they_promise(kind: str, draw: np.random.Generator) -> None:
    held = []
    for _ in range(200):
        p, true = classes(draw, 100)
        limit = threshold(class_scores(p, kind)[np.arange(100), true], 0.9)
        new, truth = classes(draw, 50)
        held.append(within(class_scores(new, kind), limit)[np.arange(50), truth].mean())
    # 91 of 101 ranks lie at or below the threshold; the mean of 200 trials has a deviation of .004
    assert np.mean(held) == pytest.approx(91 / 101, abs=0.012)


def test_scores_grow_along_the_classes_and_take_half_of_their_own() -> None:
    p = np.array([[0.5, 0.2, 0.3]])
    assert class_scores(p, "lac")[0] == pytest.approx([0.5, 0.8, 0.7])
    assert class_scores(p, "aps")[0] == pytest.approx([0.25, 0.9, 0.65])
    assert class_scores(p, "raps")[0] == pytest.approx([0.25, 1.0, 0.65])
    assert class_scores(p, "aps", u_B=0.0)[0] == pytest.approx([0.5, 1.0, 0.8])
    yes = np.array([[True, False, True]])
    assert label_scores(p, yes)[0] == pytest.approx([0.5, np.nan, 0.7], nan_ok=True)


def test_quantiles_are_widened_or_drawn_in_and_never_turn_round() -> None:
    low, high, y = np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([1.5, 0.5])
    assert interval_scores(low, high, y) == pytest.approx([0.5, -0.5])
    assert widened(low, high, 0.25)[1] == pytest.approx([1.25, 1.25])
    one, other = widened(low, high, -0.75)
    assert (one <= other).all()
