"""Subsets of inputs: how many, which are hidden, and whether fusing pays."""

from itertools import combinations

import numpy as np
import pytest

from modalloy.job import config
from modalloy.judge.subsets import hidden_in, score_subsets, shown_subsets

CLASSIFY = config.Classify(target="y")
REGRESS = config.Regress(target="y", unit="h")
ROWS = 120


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_subset_up_to_five(count: int) -> None:
    inputs = list("abcde")[:count]
    found = shown_subsets(inputs)
    every = {c for size in range(1, count + 1) for c in combinations(inputs, size)}
    assert len(found) == len(set(found)) == 2**count - 1
    assert set(found) == every
    assert found[-1] == tuple(inputs)


def test_many_inputs_singles_leave_one_out_and_all() -> None:
    inputs = list("abcdefg")
    found = shown_subsets(inputs)
    assert len(found) == 7 + 7 + 1
    assert {len(s) for s in found} == {1, 6, 7}


def test_hidden_are_the_others() -> None:
    assert hidden_in(("b",), ("a", "b", "c")) == frozenset({"a", "c"})


def noisy(truth: np.ndarray, noise: float, seed: int) -> np.ndarray:
    return truth + np.random.default_rng(seed).normal(0, noise, len(truth))


def test_regress_gain_is_positive_when_the_error_falls() -> None:
    truth = np.random.default_rng(0).normal(50, 10, ROWS)
    asked: list[frozenset[str]] = []

    def answers_of(hidden: frozenset[str]) -> dict[str, dict[str, np.ndarray]]:
        asked.append(hidden)
        noise = {0: 1.0, 1: 4.0}[len(hidden)] * (2 if hidden == {"b"} else 1)
        return {"life": {"value": noisy(truth, noise, len(asked))}}

    found = score_subsets(
        {"life": REGRESS}, ["a", "b"], answers_of, {"life": truth.tolist()}, {"life": None}
    )
    assert asked == [frozenset({"b"}), frozenset({"a"}), frozenset()]
    table, gain = found.table["life"], found.gain["life"]
    assert list(table) == ["a", "b", "a + b"]
    assert table["a + b"]["columns"] == ["a", "b"]
    assert gain["best"] == "b"  # hiding `b` doubles the noise, so b alone (a hidden) is better
    expected = table["b"]["rmse"] - table["a + b"]["rmse"]
    assert gain["gain"] == pytest.approx(expected)
    assert gain["gain"] > 2
    low, high = gain["interval"]
    assert 0 < low < gain["gain"] < high
    for figures in table.values():
        low, high = figures["interval"]["rmse"]
        assert low < figures["rmse"] < high


def test_classify_no_gain_when_answers_are_the_same() -> None:
    truth = ["x", "y"] * (ROWS // 2)
    p = np.random.default_rng(0).dirichlet([1, 1], ROWS)
    found = score_subsets(
        {"c": CLASSIFY}, ["a", "b"], lambda _: {"c": {"probability": p}}, {"c": truth},
        {"c": ["x", "y"]},
    )  # fmt: skip
    assert found.gain["c"]["gain"] == 0
    assert found.gain["c"]["interval"] == [0, 0]


def test_groups_widen_the_interval() -> None:
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 20)
    truth = np.zeros(ROWS)
    value = truth + np.repeat(draw.normal(0, 5, 6), 20) + draw.normal(0, 0.1, ROWS)

    def width(labels: list[int] | None) -> float:
        found = score_subsets(
            {"t": REGRESS}, ["a"], lambda _: {"t": {"value": value}}, {"t": truth.tolist()},
            {"t": None}, groups=labels,
        )  # fmt: skip
        low, high = found.table["t"]["a"]["interval"]["mae"]
        return high - low

    assert width(groups.tolist()) > 2 * width(None)


def test_a_task_without_truth_is_left_out() -> None:
    found = score_subsets(
        {"t": REGRESS}, ["a", "b"], lambda _: {"t": {"value": np.zeros(3)}}, {"t": [None] * 3},
        {"t": None},
    )  # fmt: skip
    assert found.table == {}
    assert found.gain == {}


def test_inputs_that_are_never_hidden_are_in_every_subset() -> None:
    found = shown_subsets(["words", "photo", "table"], {"words"})
    assert found == [
        ("words",), ("words", "photo"), ("words", "table"), ("words", "photo", "table"),
    ]  # fmt: skip


def test_an_own_head_is_a_line_of_its_own_and_the_gain_is_over_the_best() -> None:
    truth = np.random.default_rng(0).normal(50, 10, ROWS)
    noise = {frozenset(): 1.0, frozenset({"b"}): 6.0, frozenset({"a"}): 8.0}

    def answers_of(hidden: frozenset[str]) -> dict[str, dict[str, np.ndarray]]:
        return {"life": {"value": noisy(truth, noise[hidden], len(hidden))}}

    own = {"a": {"life": {"value": noisy(truth, 3.0, 5)}}}
    found = score_subsets(
        {"life": REGRESS}, ["a", "b"], answers_of, {"life": truth.tolist()}, {"life": None},
        alone=own,
    )  # fmt: skip
    table, gain = found.table["life"], found.gain["life"]
    assert list(table) == ["a (own head)", "a", "b", "a + b"]
    assert 2 < table["a (own head)"]["rmse"] < 4 < 5 < table["a"]["rmse"] < 7
    assert gain["best"] == "a (own head)"
    assert gain["gain"] == pytest.approx(table["a (own head)"]["rmse"] - table["a + b"]["rmse"])


def test_no_single_column_no_gain() -> None:
    answers = {"t": {"value": np.zeros(4)}}
    found = score_subsets(
        {"t": REGRESS}, ["a", "b"], lambda _: answers, {"t": [0.0, 1.0, 2.0, 3.0]}, {"t": None},
        always={"a", "b"},
    )  # fmt: skip
    assert list(found.table["t"]) == ["a + b"]
    assert found.gain == {}
