"""Gradient boosting as a careful engineer would run it: stopped early, its trees sized to the rows.

scikit-learn's histogram kind (Ke et al. 2017, LightGBM).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modalloy.answer.answers import Answer
from modalloy.judge.baselines.baseline_models import BaselineTask, each_class, varied
from modalloy.judge.baselines.tune import WORST, Fold, Score, held_out_score

WORK = 200_000  # leaves times features over all trees of one fit: two seconds on one core
ROUNDS = (10, 160)  # fewest and most
STEPS = 4  # numbers of rounds that are tried, until one is no better than the one before
FEW = 150  # training rows up to which settings are chosen on two held-out parts, not one


class Shape(NamedTuple):
    """How one boosting is set: its trees and how many rounds it gets."""

    leaves: int
    fewest: int  # rows of a leaf
    rate: float
    rounds: int


def choose_shape(
    goal: BaselineTask,
    x_BF: np.ndarray,
    codes: np.ndarray,
    train: np.ndarray,
    folds: Sequence[Fold],
    seed: int,
) -> Shape:
    """Size of the trees and number of rounds that do best on held-out training rows.

    codes: which features are categories, (F,).
    """
    best, reached = None, WORST
    folds = folds[: 1 if len(train) > FEW else 2]
    for shape in shapes(goal, x_BF.shape[1], len(train)):
        tried = [stopped(goal, shape, x_BF, codes, fold, seed) for fold in folds]
        score = held_out_score(goal, [(f, a) for f, (a, _) in zip(folds, tried, strict=True)])
        rounds = round(float(np.mean([r for _, r in tried]))) if tried else shape.rounds // 2
        if best is None or (score is not None and score > reached):
            best = shape._replace(rounds=max(1, rounds))
            reached = score or WORST
    assert best is not None, "there is a shape at least"
    return best


def shapes(goal: BaselineTask, features: int, rows: int) -> list[Shape]:
    """Small trees with small leaves for few rows, larger ones; the work of each is bounded."""
    fits = trees_a_round(goal)
    found = []
    for leaves, fewest in ((6, 4), (31, 20)):
        if fewest * 4 > rows and found:
            continue
        rounds = int(np.clip(WORK // (leaves * features * fits), *ROUNDS))
        found.append(Shape(leaves, fewest, float(np.clip(10 / rounds, 0.05, 0.3)), rounds))
    return found


def trees_a_round(goal: BaselineTask) -> int:
    """Trees of one round: one a class or label, a single one of two classes or a number."""
    classes = len(goal.names or ())
    return classes if classes > 2 or goal.several else 1


def stopped(
    goal: BaselineTask, shape: Shape, x_BF: np.ndarray, codes: np.ndarray, fold: Fold, seed: int
) -> tuple[Answer, int]:
    """Answers to the held-out rows at the best of some numbers of rounds, and that number."""
    best: tuple[Score, int, Answer] | None = None
    for rounds in np.unique(np.geomspace(max(1, shape.rounds // 16), shape.rounds, STEPS).round()):
        few = shape._replace(rounds=int(rounds))
        answer = boost(goal, few, x_BF, codes, fold.fit, fold.check, seed)
        score = held_out_score(goal, [(fold, answer)])
        if best is None or (score is not None and score > best[0]):
            best = (score or WORST, few.rounds, answer)
        else:
            break
    assert best is not None
    return best[2], best[1]


def boost(
    goal: BaselineTask,
    shape: Shape,
    x_BF: np.ndarray,
    codes: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
) -> Answer:
    """Answers to the test rows of one boosting with these settings."""
    usable = varied(x_BF, train)
    x_BF, codes = x_BF[:, usable], codes[usable]
    shared: dict[str, Any] = {
        "max_iter": shape.rounds,
        "learning_rate": shape.rate,
        "max_leaf_nodes": shape.leaves,
        "min_samples_leaf": shape.fewest,
        "categorical_features": codes,
        "early_stopping": False,
        "random_state": seed,
    }
    if goal.numeric:
        loss = "absolute_error" if goal.absolute else "squared_error"
        model: Any = HistGradientBoostingRegressor(loss=loss, **shared)
        return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}
    weights = goal.class_weight

    def make() -> Any:
        # Without the penalty, leaves of a few rows of one among many classes grow without bound.
        return HistGradientBoostingClassifier(l2_regularization=1.0, class_weight=weights, **shared)

    return each_class(goal, make, x_BF, goal.labels(train), train, test)
