"""Classes that training rows lack, or that all of them have; and how much work a boosting is."""

import numpy as np

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.boosting import Boosting, Shape, boost, shapes
from modalloy.classical.linear import Linear
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.truth import TaskTruth
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import tree


def test_a_class_that_training_lacks_gets_no_probability() -> None:
    truth = ["b", "c"] * 20 + ["a"]
    task = TaskTruth(config.Classify(target="y"), ["a", "b", "c"], truth)
    x = np.array([[float(t == "c")] for t in truth])
    train = task.take(np.arange(40))
    fitted = boost(train, Shape(6, 4, 0.1, 30), x[:40], np.array([False]), 0)
    answer = fitted.answer(x[38:], 3)
    assert answer["probability"].shape == (3, 3)
    assert answer["probability"][:, 0].tolist() == [0, 0, 0]
    assert answer["probability"].argmax(1).tolist() == [1, 2, 1]


def test_one_class_alone_in_training_is_answered_with_certainty() -> None:
    task = TaskTruth(config.Classify(target="y"), ["bad", "good"], ["good"] * 40)
    x = np.arange(42.0)[:, None]
    rows = TrainingRows(task, {"x": FeatureBlock("x", x[:40])}, None, 0)
    asked = {"x": FeatureBlock("x", x[38:])}
    answers = [
        Boosting.fit(rows).answer(asked, 4),
        Linear.fit(rows, words=True).answer(asked, 4),
        tree(task, x[:40], x[38:], 0),
    ]
    for answer in answers:
        assert answer["probability"].tolist() == [[0.0, 1.0]] * 4


def test_the_work_of_a_boosting_is_bounded() -> None:
    task = TaskTruth(config.Classify(target="y"), list("abcde"), [])
    narrow, wide = (shapes(task, features, 1000)[-1] for features in (3, 300))
    assert narrow.rounds == 160
    assert wide.rounds == 10
    assert wide.rate > narrow.rate
    assert len(shapes(task, 3, 50)) == 1  # large trees are not tried on few rows
