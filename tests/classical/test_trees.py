"""Boosted trees as arrays answer as scikit-learn does, to the last bit."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import expit as scipy_expit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modalloy.classical.trees import Trees, expit

CODES = np.array([False, True, False, True, False])
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "squared error": (0, {}),
    "absolute error": (0, {"loss": "absolute_error"}),
    "two classes": (2, {}),
    "three classes": (3, {"class_weight": "balanced"}),
    "eleven classes": (11, {"l2_regularization": 1.0}),
}


def rows(count: int, seed: int) -> np.ndarray:
    """Numbers and categories, some of them missing and some that training never saw."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (count, 5))
    x[:, 1] = rng.choice([0.0, 2.0, 7.0, 9.0, 150.0], count)
    x[:, 3] = rng.integers(0, 60, count)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def fitted(kind: str, codes: np.ndarray | None) -> Any:
    """A boosting of this kind on 300 rows, of five rounds."""
    classes, options = KINDS[kind]
    x = rows(300, 0)
    score = (
        np.nan_to_num(x[:, 0]) + (x[:, 1] == 7) + np.nan_to_num(x[:, 3]) / 30 + np.isnan(x[:, 4])
    )
    shared: dict[str, Any] = {
        "max_iter": 5,
        "max_leaf_nodes": 12,
        "min_samples_leaf": 4,
        "early_stopping": False,
        "categorical_features": codes,
        "random_state": 0,
    }
    if not classes:
        return HistGradientBoostingRegressor(**shared, **options).fit(x, score)
    edges = np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])
    return HistGradientBoostingClassifier(**shared, **options).fit(x, np.digitize(score, edges))


@pytest.mark.parametrize("codes", [None, CODES], ids=["numbers", "categories"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_answers_are_scikit_learns_to_the_last_bit(kind: str, codes: np.ndarray | None) -> None:
    model = fitted(kind, codes)
    x = rows(400, 1)
    x[:6, 1] = [-1, 1, 3, 1000, 1e9, 7.5]  # unknown categories
    x[8:10, 0] = [np.inf, -np.inf]
    theirs = model.predict_proba(x) if KINDS[kind][0] else model.predict(x)
    trees = Trees.of(model, np.arange(5))
    ours = trees.predict(x)
    assert np.array_equal(ours, theirs)
    assert np.unique(ours).size > 20
    for row in (0, 3, 9, 250):  # alone as in a batch
        assert np.array_equal(trees.predict(x[row : row + 1]), ours[row : row + 1])
    assert trees.predict(x[:0]).shape == (0, *ours.shape[1:])


@pytest.mark.parametrize("kind", ["squared error", "three classes"])
def test_kept_as_json_and_arrays(kind: str) -> None:
    trees = Trees.of(fitted(kind, CODES), np.arange(5))
    meta, arrays = trees.state()
    again = Trees.from_state(json.loads(json.dumps(meta)), load(save(arrays)))
    x = rows(50, 2)
    assert np.array_equal(again.predict(x), trees.predict(x))


def test_features_that_the_model_has_not_seen_change_nothing() -> None:
    model = fitted("two classes", CODES)
    x = rows(50, 3)
    wide = np.full((50, 8), 3.0)
    places = np.array([1, 2, 4, 5, 7])
    wide[:, places] = x
    assert np.array_equal(Trees.of(model, places).predict(wide), model.predict_proba(x))


def test_many_rows_are_walked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = Trees.of(fitted("three classes", CODES), np.arange(5))
    x = rows(100, 4)
    whole = trees.predict(x)
    monkeypatch.setattr("modalloy.classical.trees.AT_ONCE", 40)
    assert np.array_equal(trees.predict(x), whole)


def test_the_logistic_function_is_scipys() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(0, 8, 2000), [800.0, -800.0, 0.0, 1e-300]])
    assert np.array_equal(expit(x), scipy_expit(x))
