"""Logistic and ridge regression as arrays answer as scikit-learn does."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.features import Features
from modalloy.classical.linear import LinearMap
from modalloy.classical.spread import Spread


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_probabilities_are_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (120, 6))
    y = (x[:, 0] * 2).round().astype(int) % classes
    model = LogisticRegression().fit(x, y)
    ours = LinearMap.of(model)
    found = ours.predict(x)
    assert found == pytest.approx(model.predict_proba(x), abs=1e-12)
    assert np.array_equal(ours.predict(x[5:6]), found[5:6])


def test_numbers_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (50, 6))
    model = Ridge(alpha=2.0).fit(x, x[:, 0] + 5)
    assert LinearMap.of(model).predict(x) == pytest.approx(model.predict(x), abs=1e-12)


def test_each_group_has_the_same_say_and_absence_is_a_feature() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 100, (60, 2))
    x[5] = np.nan  # both are absent together: one feature says so
    codes = rng.integers(0, 3, (60, 1)).astype(float)
    wide = rng.normal(0, 5, (60, 4))
    wide[0, 0] = 1e9
    blocks = {
        "wide": FeatureBlock("wide", wide),
        "x": FeatureBlock("x", x, plain=True),
        "c": FeatureBlock("c", codes, codes=True, plain=True),
    }
    features = Features.fit(list(blocks.values()), kept=256, embedded=256, seed=0)
    spread = Spread.fit(features, features.apply(blocks), ["x", "c"])
    found = spread.apply(blocks, 60)
    table = 1 + 2 + 1 + 3 + 1  # nothing, numbers, their absence, codes, their absence
    assert found.shape == (60, table + 4 + 1)
    assert found[:, 1:table].var(0).sum() == pytest.approx(1)
    assert found[:, table:].var(0).sum() == pytest.approx(1)
    assert np.abs(found).max() < 8  # one odd number bends nothing
    assert found[5, 3] > found[6, 3]
