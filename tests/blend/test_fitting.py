"""What helps gets a say, what does not gets none, and this is seen on rows left out."""

from typing import Any

import numpy as np
import pytest

from modalloy.blend.fitting import answerable, error_of, folds, held_of, weigh
from modalloy.blend.weights import DOUBT
from modalloy.job import config

SINGLE = config.Classify(target="y")
MULTI = config.Classify(target="y", labels="multi")
NUMBER = config.Regress(target="y")
NAMES = ["a", "b"]


def sure(right: np.ndarray, truth: np.ndarray, p: float) -> dict[str, np.ndarray]:
    """Probabilities that are right where asked, stated with this certainty."""
    said = np.where(right, truth, 1 - truth)
    p_BC = np.full((len(truth), 2), 1 - p, dtype=np.float32)
    p_BC[np.arange(len(truth)), said] = p
    return {"probability": p_BC}


def classes(draw: np.random.Generator, count: int, **shares: float) -> tuple[Any, list[str]]:
    """Answers that are right in just these shares of rows and say so, and the truth."""
    truth = draw.integers(0, 2, count)
    first = np.arange(count) / count
    found = {n: sure(draw.permutation(first) < s, truth, s) for n, s in shares.items()}
    return found, [NAMES[t] for t in truth]


def test_a_stronger_answer_takes_over(draw: np.random.Generator) -> None:
    answers, truth = classes(draw, 200, network=0.55, boosting=0.95)
    found = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    assert found.helps
    assert found.weights["boosting"] > 0.9
    assert sum(found.weights.values()) == pytest.approx(1.0)
    hits = (found.crossed["probability"].argmax(1) == [NAMES.index(t) for t in truth]).mean()
    theirs = answers["boosting"]["probability"].argmax(1)
    assert hits >= (theirs == [NAMES.index(t) for t in truth]).mean() - 0.005


def test_an_answer_that_knows_nothing_gets_no_say(draw: np.random.Generator) -> None:
    answers, truth = classes(draw, 2000, network=0.9)
    answers["constant"] = {"probability": np.full((2000, 2), 0.5)}
    answers["worse"] = {"probability": answers["network"]["probability"] * 0.5 + 0.25}
    found = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    assert found.weights["constant"] == 0.0
    assert found.weights["network"] > 0.9
    answers["worse"] = answers["constant"]
    alone = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    assert alone.weights == {"network": 1.0, "constant": 0.0, "worse": 0.0}
    assert not alone.helps


def test_few_rows_average_answers_of_which_none_is_clearly_better(
    draw: np.random.Generator,
) -> None:
    answers, truth = classes(draw, 20, network=0.75, boosting=0.7)
    found = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    assert found.helps
    assert found.weights["boosting"] == pytest.approx(0.5, abs=0.1)
    own = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05, parts=["boosting"])
    assert own.weights["boosting"] < 0.1  # a part of the network, of which more must be shown
    many, told = classes(draw, 4000, network=0.95, boosting=0.6)
    alone = weigh(SINGLE, NAMES, many, told, together=None, least=0.05)
    assert not alone.helps
    # The same rows of one machine tell hardly more than a few.
    one = weigh(SINGLE, NAMES, many, told, together=["m"] * 4000, least=0.05)
    assert one.weights["boosting"] > 0.3


def test_that_it_is_not_cheaper_is_told_apart_from_that_it_does_not_help(
    draw: np.random.Generator,
) -> None:
    answers, truth = classes(draw, 20, network=0.8, boosting=0.65)
    found = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    assert (found.helps, found.cheaper) == (True, False)


def test_two_halves_are_better_together_for_numbers(draw: np.random.Generator) -> None:
    y = draw.normal(100, 20, 300)
    answers = {n: {"value": (y + draw.normal(0, 3, 300)).astype(np.float32)} for n in "xy"}
    found = weigh(NUMBER, None, answers, list(y), together=None, least=0.05)
    assert found.helps
    assert found.weights["x"] == pytest.approx(0.5, abs=0.1)
    errors = [np.abs(a["value"] - y).mean() for a in (*answers.values(), found.crossed)]
    assert errors[2] < 0.8 * min(errors[:2])


def test_rows_without_a_truth_or_of_unknown_classes_have_no_part(draw: np.random.Generator) -> None:
    answers, truth = classes(draw, 60, network=0.6, boosting=0.9)
    whole = weigh(SINGLE, NAMES, answers, truth, together=None, least=0.05)
    more = {n: {"probability": np.r_[a["probability"], [[0.99, 0.01]] * 5].astype(np.float32)}
            for n, a in answers.items()}  # fmt: skip
    odd = [*truth, None, "never seen", None, None, "c"]
    found = weigh(SINGLE, NAMES, more, odd, together=None, least=0.05)
    assert found.weights == whole.weights
    assert found.rows.tolist() == list(range(60))
    assert answerable(MULTI, NAMES, [["a"], [], None, ["a", "c"], ["b", "a"]]).tolist() == [0, 1, 4]


def test_labels_cost_their_binary_log_loss(draw: np.random.Generator) -> None:
    truth = [["a"], [], ["a", "b"], ["b"]]
    p_BC = draw.uniform(0.1, 0.9, (4, 2))
    held = held_of(MULTI, NAMES, [{"probability": p_BC}], truth)
    yes = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], dtype=bool)
    wanted = -np.log(DOUBT + (1 - DOUBT) * np.where(yes, p_BC, 1 - p_BC)).sum()
    assert held.total(np.ones(1), 1.0) == pytest.approx(wanted)
    assert held.of(np.array([True, False, False, False])).x_NM.shape == (2, 1)


def test_balanced_classes_count_alike(draw: np.random.Generator) -> None:
    truth = ["a"] * 90 + ["b"] * 10
    common = sure(np.array([True] * 90 + [False] * 10), np.r_[[0] * 90, [1] * 10], 0.8)
    rare = sure(np.array([False] * 90 + [True] * 10), np.r_[[0] * 90, [1] * 10], 0.8)
    both = {"common": common, "rare": rare}
    plain = weigh(SINGLE, NAMES, both, truth, together=None, least=0.0)
    balanced = SINGLE.model_copy(update={"class_weights": "balanced"})
    even = weigh(balanced, NAMES, both, truth, together=None, least=0.0)
    assert plain.weights["rare"] < 0.1
    assert even.weights["rare"] == pytest.approx(0.5, abs=0.1)


def test_rows_that_belong_together_are_left_out_together() -> None:
    machines = [f"m{i % 7}" for i in range(70)]
    fold_R = folds(70, machines)
    assert all(len({fold_R[i] for i in range(m, 70, 7)}) == 1 for m in range(7))
    assert len(np.unique(fold_R)) == 5
    assert folds(12, None).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert folds(4, ["same"] * 4).tolist() == [0, 1, 2, 3]


def test_one_row_is_weighed_by_itself() -> None:
    answers = {n: {"value": np.array([v])} for n, v in (("network", 3.0), ("boosting", 1.0))}
    found = weigh(NUMBER, None, answers, [1.0], together=None, least=0.05)
    assert found.weights["boosting"] > 0.5


def test_kinds_whose_answers_have_no_mean_are_left_alone() -> None:
    assert error_of(config.Tag(target="t", on="w")) is None
    assert error_of(config.Locate(target="b", on="p")) is None
    assert error_of(config.Custom(target="c", use="tasks.counting:KIT")) is None
    assert error_of(NUMBER) == "squared"
    assert error_of(NUMBER.model_copy(update={"loss": "huber"})) == "absolute"
    assert error_of(MULTI) == "log"
