"""Mean answers by name: drawn to the overall mean, and never a row's own answer."""

import numpy as np
import pytest

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.boosting import Boosting
from modalloy.classical.target_means import LIMITS, MANY, TargetMeans, amounts, out_of_fold
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.truth import TaskTruth
from modalloy.job import config


def test_means_of_few_rows_are_drawn_to_the_mean_of_all() -> None:
    rng = np.random.default_rng(0)
    code = np.repeat(np.arange(40.0), 5)
    effect = rng.normal(0, 1, 40)
    y = (effect[code.astype(int)] + rng.normal(0, 2, 200))[:, None]
    fitted = TargetMeans.fit(code, y)
    plain = np.array([y[code == c].mean() for c in range(40)])
    found = fitted.mean_CK[:, 0]
    assert np.corrcoef(found, plain)[0, 1] == pytest.approx(1)
    assert 0.3 < found.std() / plain.std() < 0.8  # 5 / (5 + 4) of it, as variances are 4 and 1
    assert np.abs(found - effect).mean() < np.abs(plain - effect).mean()
    noise = TargetMeans.fit(code, rng.normal(0, 1, (200, 1)))
    assert noise.mean_CK.std() < 0.3
    every = TargetMeans.fit(np.arange(200.0), y)  # a name a row tells nothing
    assert every.mean_CK.std() == pytest.approx(y.std() / (1 + LIMITS[1]))


def test_unknown_names_have_the_overall_mean_and_missing_ones_none() -> None:
    fitted = TargetMeans.fit(np.array([1.0, 1, 2, np.nan]), np.array([[0.0], [2], [4], [6]]))
    found = fitted.apply(np.array([2.0, 7.0, np.nan]))
    assert found[1] == 3.0
    assert found[0] > 3.0
    assert np.isnan(found[2])


def test_training_rows_never_see_their_own_answer() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 20, 100).astype(float)
    y = rng.normal(0, 1, (100, 1))
    before = out_of_fold(code, y, None, 0)
    changed = y.copy()
    changed[7] += 100
    after = out_of_fold(code, changed, None, 0)
    assert after[7] == before[7]
    assert not np.array_equal(after, before)
    groups = [str(i // 10) for i in range(100)]
    before, after = (out_of_fold(code, v, groups, 0) for v in (y, changed))
    assert np.array_equal(before[:10], after[:10])  # nor those of rows that belong with it


def test_classes_have_a_mean_each_unless_they_are_many() -> None:
    two = TaskTruth(config.Classify(target="y"), ["a", "b"], ["a", "b", "b"])
    assert amounts(two).tolist() == [[0], [1], [1]]
    labels = config.Classify(target="y", labels="multi")
    assert amounts(TaskTruth(labels, ["a", "b"], [["a"], [], ["a", "b"]])).shape == (3, 2)
    assert amounts(TaskTruth(config.Classify(target="y"), list("abcdefghi"), ["a"])).shape == (1, 0)
    number = TaskTruth(config.Regress(target="y"), None, [1.0, 2.0])
    assert amounts(number).tolist() == [[1], [2]]


def test_boosting_learns_from_a_category_of_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 80, 500)
    truth = rng.normal(0, 2, 80)[code] + rng.normal(0, 1, 500)
    task = TaskTruth(config.Regress(target="y"), None, truth.tolist())
    block = FeatureBlock("postcode", code.astype(float)[:, None], codes=True, plain=True)
    rows = TrainingRows(task, {"postcode": block}, None, 0)
    train, test = rows.take(np.arange(400)), rows.take(np.arange(400, 500))
    errors = []
    for many in (MANY, 100):
        monkeypatch.setattr("modalloy.classical.boosting.MANY", many)
        model = Boosting.fit(train)
        assert list(model.means) == (["postcode"] if many == MANY else [])
        found = model.answer(test.blocks, 100)["value"]
        errors.append(np.std(found - truth[400:]))
        again = Boosting.from_state(*model.state())
        assert np.array_equal(again.answer(test.blocks, 100)["value"], found)
    assert errors[0] < 0.9 * errors[1]


def test_means_that_do_not_help_are_left_out() -> None:
    rng = np.random.default_rng(0)
    code, x = rng.integers(0, 80, (200, 1)).astype(float), rng.normal(0, 1, (200, 1))
    task = TaskTruth(config.Regress(target="y"), None, x[:, 0].tolist())
    blocks = {
        "noise": FeatureBlock("noise", code, codes=True, plain=True),
        "x": FeatureBlock("x", x, plain=True),
    }
    assert Boosting.fit(TrainingRows(task, blocks, None, 0)).means == {}
