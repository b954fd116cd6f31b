"""Means of answers by name: the plain formula, scikit-learn's, and no row that sees its own."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import TargetEncoder

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.readers.category import MANY, CategoryReader
from modalloy.readers.learned_answers import learned_answers
from modalloy.readers.target_means import (
    FOLDS,
    STRENGTH,
    LearnedAnswers,
    fold_of,
    smoothed_means,
    sums_by_name,
)
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.regress import NumberTarget

ROWS, NAMES = 200, 30


def rows(answers: int = 2) -> tuple[np.ndarray, LearnedAnswers]:
    """Numbers of names of 200 rows, a tenth without a cell, and answers with gaps."""
    rng = np.random.default_rng(0)
    x_R = rng.integers(-1, NAMES, ROWS)
    y_RT = rng.normal(size=(ROWS, answers)) + 1.0
    y_RT[rng.random(y_RT.shape) < 0.1] = np.nan
    return x_R, LearnedAnswers(y_RT, fold_of(np.arange(ROWS)))


def test_means_are_those_of_the_plain_formula() -> None:
    x_R, answers = rows()
    found = smoothed_means(sums_by_name(x_R, NAMES, answers))
    assert found.shape == (FOLDS + 1, NAMES, 2)
    for out in range(FOLDS + 1):
        for t in range(2):
            y_R = answers.y_RT[:, t]
            used = np.isfinite(y_R) & (x_R >= 0) & (answers.fold_R != out)
            for name in range(NAMES):
                own = y_R[used & (x_R == name)]
                expected = (own - y_R[used].mean()).sum() / (len(own) + STRENGTH)
                assert found[out, name, t] == pytest.approx(expected, abs=1e-6)


def test_all_rows_together_are_scikit_learns_target_encoder() -> None:
    x_R, _ = rows()
    x_R = np.maximum(x_R, 0)
    y_R = np.random.default_rng(1).normal(size=ROWS)
    encoder = TargetEncoder(smooth=STRENGTH, target_type="continuous").fit(x_R[:, None], y_R)
    theirs = encoder.transform(x_R[:, None])[:, 0] - y_R.mean()
    answers = LearnedAnswers(y_R[:, None], fold_of(np.arange(ROWS)))
    ours = smoothed_means(sums_by_name(x_R, NAMES, answers))[-1, x_R, 0]
    assert np.allclose(ours, theirs, atol=1e-6)


def test_what_a_training_row_sees_does_not_depend_on_its_own_answer() -> None:
    x_R, answers = rows(1)
    row = int(np.flatnonzero(x_R >= 0)[0])
    other = answers.y_RT.copy()
    other[row] = 1e3
    fold = answers.fold_R[row]
    before = smoothed_means(sums_by_name(x_R, NAMES, answers))
    after = smoothed_means(sums_by_name(x_R, NAMES, answers._replace(y_RT=other)))
    assert np.array_equal(before[fold], after[fold])
    assert not np.allclose(before[-1, x_R[row]], after[-1, x_R[row]])


def test_folds_are_even_and_mix_neighbours() -> None:
    fold_R = fold_of(np.arange(10_000))
    assert np.bincount(fold_R).min() > 1_900
    pairs = np.bincount(fold_R[:-1] * FOLDS + fold_R[1:], minlength=FOLDS**2)
    assert pairs.max() < 10_000 / FOLDS**2 * 3
    rows_of_five = [fold_of(np.arange(k, 10_000, FOLDS)) for k in range(FOLDS)]
    assert all(np.bincount(f).min() > 300 for f in rows_of_five)


def test_many_names_keep_means_by_themselves_and_few_when_asked() -> None:
    for names, statistics, kept in (
        (MANY - 1, "auto", False),
        (MANY, "auto", True),
        (3, "means", True),
        (MANY, "none", False),
    ):
        cells = Cells({"site": [f"n{i % names}" for i in range(90)]})
        y_RT = np.arange(90.0)[:, None]
        answers = LearnedAnswers(y_RT, fold_of(np.arange(90)))
        options = config.Category(statistics=statistics)
        reader = CategoryReader.fit("site", options, cells, answers)
        assert bool(reader.answers) is kept
        assert CategoryReader.fit("site", options, cells) == reader.without_answers()
        assert CategoryReader.from_state(json.loads(json.dumps(reader.state()))) == reader
        if kept:
            assert reader.means.shape == (FOLDS + 1, names + 1, 1)


def test_rare_names_share_their_means_and_empty_cells_have_none() -> None:
    cells = Cells({"site": ["a"] * 5 + ["once", "twice"] + [None] * 3})
    y_RT = np.array([0.0] * 5 + [4.0, 6.0] + [100.0] * 3)[:, None]
    answers = LearnedAnswers(y_RT, fold_of(np.arange(10)))
    reader = CategoryReader.fit("site", config.Category(statistics="means"), cells, answers)
    mean = 10.0 / 7
    assert reader.means[-1, 0, 0] == pytest.approx((10.0 - 2 * mean) / (2 + STRENGTH), abs=1e-4)
    assert reader.means[-1, 1, 0] == pytest.approx(-5 * mean / (5 + STRENGTH), abs=1e-4)


def test_answers_of_all_tasks_are_standardised() -> None:
    cells = Cells(
        {
            "code": ["x", "y", "x", "x", None],
            "kind": ["a", "b", "c", "a", "b"],
            "tags": ["p;q", "p", "", "q", None],
            "hours": [1.0, 3.0, None, 5.0, 7.0],
        }
    )
    targets = {
        "code": ClassTarget.fit("code", config.Classify(target="code"), cells),
        "kind": ClassTarget.fit("kind", config.Classify(target="kind"), cells),
        "tags": ClassTarget.fit("tags", config.Classify(target="tags", labels="multi"), cells),
        "hours": NumberTarget.fit("hours", config.Regress(target="hours"), cells),
    }
    y_RT = learned_answers(targets, cells, np.zeros(5, np.int64)).y_RT
    assert y_RT.shape == (5, 1 + 3 + 2 + 1)
    assert np.nanmean(y_RT, 0) == pytest.approx(np.zeros(7), abs=1e-6)
    assert np.nanstd(y_RT, 0) == pytest.approx(np.ones(7), abs=1e-6)
    assert np.isnan(y_RT[[4, 2], [0, 6]]).all()
    assert y_RT[1, 0] > 0 > y_RT[0, 0]
