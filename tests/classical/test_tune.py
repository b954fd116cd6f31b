"""Settings are chosen on held-out training rows, and rows that belong together stay together."""

import numpy as np

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.linear import Linear, ridge
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.truth import TaskTruth
from modalloy.classical.tune import folds_of
from modalloy.job import config


def test_rows_that_belong_together_are_held_out_together() -> None:
    groups = [f"m{i % 7}" for i in range(70)]
    folds = folds_of(np.arange(5, 70), groups, 0)
    assert len(folds) == 4
    for fold in folds:
        assert not {groups[i] for i in fold.fit} & {groups[i] for i in fold.check}
    assert sorted(i for f in folds for i in f.check) == list(range(5, 70))
    assert folds_of(np.arange(5), ["m"] * 5, 0) == []


def test_penalties_are_chosen_on_training_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (200, 60))
    truth = (x[:, 0] + rng.normal(0, 2, 200)).tolist()
    task = TaskTruth(config.Regress(target="y"), None, truth)
    rows = TrainingRows(task, {"x": FeatureBlock("x", x)}, None, 0)
    train, test = rows.take(np.arange(100)), rows.take(np.arange(100, 200))
    model = Linear.fit(train, words=True)
    tuned = model.answer(test.blocks, 100)
    seen, asked = (model.features.apply(r.blocks, 100) for r in (train, test))
    loose = ridge(train.task, seen, 1e5, np.arange(100))[0].answer(asked, 100)
    errors = [np.std(a["value"] - np.array(truth)[100:]) for a in (tuned, loose)]
    assert errors[0] < 0.85 * errors[1]
