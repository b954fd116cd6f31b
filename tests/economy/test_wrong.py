"""What a wrong decision is for each kind of task, and the table of what each set loses."""

import numpy as np
import pytest

from modalloy.economy.lessons import Asked, fit_features, follow, lessons_of
from modalloy.economy.wrong import Judge
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.policy.rules import Subset

CLASSIFY = config.Classify(target="y")


def test_one_class_is_wrong_where_another_is_answered() -> None:
    judge = Judge("fault", CLASSIFY, ["ok", "crack"])
    answer = {"probability": np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]])}
    truth = ["ok", "crack", None, "new"]  # the last is a class that training never saw
    assert judge.wrong(answer, truth).tolist() == [False, True, False, True]
    loss = judge.loss(answer, truth)
    assert loss[:3] == pytest.approx([-np.log(0.6), -np.log(0.4), 0.0])


def test_labels_are_wrong_where_any_of_them_is() -> None:
    judge = Judge("tags", config.Classify(target="y", labels="multi"), ["a", "b"])
    answer = {"probability": np.array([[0.9, 0.2], [0.9, 0.7], [0.2, 0.1], [0.9, 0.1]])}
    truth = [["a"], ["a"], [], ["a", "z"]]
    assert judge.wrong(answer, truth).tolist() == [False, True, False, True]
    assert judge.loss(answer, truth)[0] == pytest.approx(-np.log([0.9, 0.8]).mean())


def test_a_number_is_wrong_beyond_what_nine_of_ten_are_off() -> None:
    judge = Judge("life", config.Regress(target="y"), None)
    every = {"value": np.arange(11.0)}
    judge.learn_tolerance(every, [0.0] * 11)
    assert judge.tolerance == pytest.approx(9.0)
    answer, truth = {"value": np.array([8.0, 9.5, 50.0])}, [0.0, 0.0, None]
    assert judge.wrong(answer, truth).tolist() == [False, True, False]
    assert judge.loss(answer, truth) == pytest.approx([(8 / 9) ** 2, (9.5 / 9) ** 2, 0.0])


def test_tasks_without_one_answer_a_row_are_refused() -> None:
    with pytest.raises(JobError, match=r"tasks\.words: tag gives no single answer a row"):
        Judge("words", config.Tag(target="tags", on="words"), ["O", "B-part"])


def test_lessons_count_what_becomes_wrong_and_never_what_was() -> None:
    p = {  # by set: nothing, the first input, the second, both
        0: [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]],
        1: [[0.2, 0.8], [0.2, 0.8], [0.2, 0.8]],
        2: [[0.6, 0.4], [0.3, 0.7], [0.6, 0.4]],
        3: [[0.7, 0.3], [0.3, 0.7], [0.2, 0.8]],
    }
    answers = [{"fault": {"probability": np.array(p[s])}} for s in range(4)]
    truth = {"fault": ["ok", "crack", "ok"]}  # the third is wrong with every column
    there = np.array([[True, True], [True, False], [True, True]])
    asked = Asked(("photo", "note"), answers, truth, there)
    judges = {"fault": Judge("fault", CLASSIFY, ["ok", "crack"])}
    found = lessons_of(asked, judges, fit_features(judges, asked), np.array([3.0, 1.0]))
    assert found.worse_SN.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert found.cost_M.tolist() == [0.75, 0.25]
    ended = follow(Subset(np.array([False, True])), found)
    assert ended.set_N.tolist() == [2, 0, 2]
    assert ended.cost_N.tolist() == [0.25, 0.0, 0.25]
    assert ended.worse_N.tolist() == [0, 1, 0]
    some = found.some(np.array([1]))
    assert some.worse_SN[:, 0].tolist() == [1, 0, 0, 0]
