import numpy as np
import pytest

from modalloy.job import config
from modalloy.judge.compared import Compared, Pair, compare
from modalloy.judge.metrics.score import score

NAMES = ["bad", "good"]
OPTIONS = config.Classify(target="state")


def answer(p_bad: list[float]) -> dict[str, np.ndarray]:
    return {"probability": np.array([[p, 1.0 - p] for p in p_bad])}


def test_pairs_are_the_figures_of_both_with_an_interval_of_their_difference() -> None:
    truth = ["bad", "good"] * 40
    old, new = answer([0.9, 0.9] * 40), answer([0.9, 0.2] * 40)
    found = compare(OPTIONS, truth, old, new, NAMES, metrics=["accuracy", "log_loss"])
    for metric, pair in found.items():
        assert pair.before == score(OPTIONS, truth, old, NAMES)[metric]
        assert pair.after == score(OPTIONS, truth, new, NAMES)[metric]
        assert pair.interval is not None
        low, high = pair.interval
        assert low <= pair.after - pair.before <= high
    low, high = found["accuracy"].interval or (0.0, 0.0)
    assert 0.3 < low < 0.5 < high < 0.7


def test_equal_answers_change_by_nothing_and_surely_so() -> None:
    truth, same = ["bad", "good"] * 10, answer([0.9, 0.4] * 10)
    pair = compare(OPTIONS, truth, same, same, NAMES, metrics=["accuracy"])["accuracy"]
    assert pair == Pair(1.0, 1.0, (0.0, 0.0))


def test_a_figure_that_these_rows_do_not_define_is_left_out() -> None:
    same = answer([0.9] * 5)
    assert "auroc" not in compare(OPTIONS, ["bad"] * 5, same, same, NAMES, metrics=["auroc"])


def test_the_table_says_figures_costs_and_sentences() -> None:
    figures = {"state": {"accuracy": Pair(0.8, 0.9, (0.05, 0.15))}}
    costs = {"milliseconds a row": Pair(10.0, 5.0), "kilobytes": Pair(None, 120.0)}
    made = Compared("adapt", 40, "test rows", figures, costs=costs, said=("Nothing else.",))
    assert made.text().splitlines() == [
        "task   figure              before   after  change",
        "state  Accuracy            80.0 %  90.0 %  +10.0 points (5.0 to 15.0 %)",
        "       milliseconds a row      10       5  0.50 times",
        "       kilobytes                –     120",
        "on 40 test rows",
        "Nothing else.",
    ]


def test_what_notes_keep_comes_back_as_it_was() -> None:
    figures = {"load": {"rmse": Pair(2.0, 1.5, None)}}
    made = Compared("harden", 9, "rows", figures, units={"load": "kN"}, said=("So it is.",))
    assert Compared.from_dict(made.as_dict()) == made


@pytest.mark.parametrize(("before", "after"), [(None, 0.9), (0.9, None)])
def test_a_figure_without_its_other_has_no_change(before, after) -> None:
    made = Compared("adapt", 4, "rows", {"state": {"accuracy": Pair(before, after)}})
    assert made.lines()[0][-1] == ""
