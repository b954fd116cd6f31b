"""Figures against scikit-learn, and against cases worked by hand."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from modalloy.job import config
from modalloy.judge.metrics.classes import rarer_of_two
from modalloy.judge.metrics.score import classification_report, primary, score, tally

CLASSIFY = config.Classify(target="y")
LABELS = config.Classify(target="y", labels="multi")


def draw_classes(rows: int, classes: int, *, digits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    true = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), true] += 1.0
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return true, p.round(digits)  # few digits make ties


def as_objects(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("digits", [1, 8])
def test_classify_agrees_with_scikit_learn(classes: int, digits: int) -> None:
    true, p = draw_classes(150, classes, digits=digits)
    names = [f"c{i}" for i in range(classes)]
    found = score(CLASSIFY, [names[t] for t in true], {"probability": p}, names)
    chosen = p.argmax(1)
    onehot = np.eye(classes)[true]
    rare = int(true.sum() <= 75)  # the second class of equals
    scores, yes = (p[:, rare], true == rare) if classes == 2 else (p, onehot)
    expected = {
        "accuracy": reference.accuracy_score(true, chosen),
        "macro_f1": reference.f1_score(true, chosen, average="macro"),
        "auroc": reference.roc_auc_score(yes, scores, average="macro"),
        "average_precision": reference.average_precision_score(yes, scores, average="macro"),
        "log_loss": -np.mean(np.log(np.clip(p[np.arange(150), true], 1e-7, None))),
    }
    assert {k: found[k] for k in expected} == pytest.approx(expected, abs=1e-9)
    assert found["ece"] == pytest.approx(slow_calibration_error(p.max(1), chosen == true))


def slow_calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    total = 0.0
    for b in range(15):
        low, high = b / 15, (b + 1) / 15
        inside = (sure >= low) & ((sure < high) | (b == 14))
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


def test_rows_of_unknown_truth_are_left_out() -> None:
    true, p = draw_classes(40, 3)
    names = ["a", "b", "c"]
    truth: list[str | None] = [names[t] for t in true]
    kept = np.arange(40) % 3 != 0
    partly = [t if k else None for t, k in zip(truth, kept, strict=True)]
    whole = score(CLASSIFY, [t for t in partly if t is not None], {"probability": p[kept]}, names)
    assert score(CLASSIFY, partly, {"probability": p}, names) == pytest.approx(whole)
    assert score(CLASSIFY, [None] * 40, {"probability": p}, names) == {}


def test_a_class_never_seen_in_training_counts_as_wrong() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    found = score(CLASSIFY, ["a", "b", "new", "a"], {"probability": p}, ["a", "b"])
    assert found["accuracy"] == 0.5
    # a: 1 of 2 found, 2 answered; b: 1 of 1, 2 answered; new: never.
    assert found["macro_f1"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.8, 1e-7, 0.3])))
    # One against the rest: a has 2 x 2 pairs, 3 right (.3 < .6); b 1 x 3, all right; new scores
    # alike.
    assert found["auroc"] == pytest.approx((3 / 4 + 1 + 0.5) / 3)


def test_one_class_alone_has_no_auroc() -> None:
    found = score(CLASSIFY, ["a", "a"], {"probability": np.array([[0.7, 0.3]] * 2)}, ["a", "b"])
    assert found["accuracy"] == 1.0
    assert "auroc" not in found
    assert "average_precision" not in found


@pytest.mark.parametrize("rare", ["crack", "zinc"])
def test_average_precision_is_about_the_rarer_class_whatever_its_name(rare: str) -> None:
    true, p = draw_classes(90, 2)
    true[:40] = 0
    yes = true == 1
    assert yes.sum() < 45
    names = sorted([rare, "ok"])
    p = p if names[1] == rare else p[:, ::-1]
    found = score(CLASSIFY, [rare if y else "ok" for y in yes], {"probability": p}, names)
    expected = reference.average_precision_score(yes, p[:, names.index(rare)])
    assert found["average_precision"] == pytest.approx(expected)


def test_the_second_of_two_equal_classes_counts_as_the_rarer() -> None:
    assert rarer_of_two(["a", "b", None], ["a", "b"]) == "b"
    assert rarer_of_two(["a", "b", "b"], ["a", "b"]) == "a"
    assert rarer_of_two(["a", "a"], ["a", "b"]) == "b"
    assert rarer_of_two(["a", "new"], ["a", "b"]) is None


def test_names_that_are_not_strings() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert score(CLASSIFY, [0, 1], {"probability": p}, ["0", "1"])["accuracy"] == 1.0


def test_labels_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    yes = rng.random((120, 4)) < 0.4
    p = (yes * 0.3 + rng.random((120, 4)) * 0.7).round(2)
    names = ["a", "b", "c", "d"]
    truth = [[n for n, y in zip(names, row, strict=True) if y] for row in yes]
    found = score(LABELS, truth, {"probability": p}, names)
    chosen = p >= 0.5
    q = np.clip(np.where(yes, p, 1 - p), 1e-7, None)
    expected = {
        "accuracy": reference.accuracy_score(yes, chosen),
        "macro_f1": reference.f1_score(yes, chosen, average="macro"),
        "auroc": reference.roc_auc_score(yes, p, average="macro"),
        "average_precision": reference.average_precision_score(yes, p, average="macro"),
        "log_loss": -np.log(q).mean(),
        "ece": slow_calibration_error(np.maximum(p, 1 - p).ravel(), (chosen == yes).ravel()),
    }
    assert found == pytest.approx(expected)


def test_a_label_never_seen_in_training_counts_as_missed() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    found = score(LABELS, [["a", "new"], ["b"]], {"probability": p}, ["a", "b"])
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(2 / 3)


def test_regress_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    true = 1e6 + rng.normal(size=80)
    value = true + rng.normal(size=80)
    quantiles = np.stack([true + 0.5, true - 0.3 + rng.normal(size=80) * 0.3], 1)
    options = config.Regress(target="y", quantiles=(0.9, 0.1))
    truth = [None, float("nan"), *true]
    answer = {"value": np.r_[0, 0, value], "quantiles": np.r_[np.zeros((2, 2)), quantiles]}
    found = score(options, truth, answer)
    pinball = [
        reference.mean_pinball_loss(true, quantiles[:, i], alpha=a)
        for i, a in enumerate((0.9, 0.1))
    ]
    expected = {
        "mae": reference.mean_absolute_error(true, value),
        "rmse": reference.root_mean_squared_error(true, value),
        "r2": reference.r2_score(true, value),
        "pinball": np.mean(pinball),
        "coverage": np.mean((true >= quantiles[:, 1]) & (true <= quantiles[:, 0])),
    }
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_logarithms_figures_stay_and_its_error_is_given_in_the_unit_too() -> None:
    options = config.Regress(target="y", scale="log")
    true, value = np.array([0.0, 99.0, 999.0]), np.array([1.0, 149.0, -1.0])
    logs = [np.sign(v) * np.log1p(np.abs(v)) for v in (true, value)]
    found = score(options, list(logs[0]), {"value": logs[1]})
    assert found["mae_unit"] == pytest.approx((1 + 50 + 1000) / 3)
    assert found["mae"] == pytest.approx(np.abs(logs[0] - logs[1]).mean())
    assert primary(options) == ("rmse", False)
    plain = score(config.Regress(target="y"), list(logs[0]), {"value": logs[1]})
    assert found == pytest.approx({**plain, "mae_unit": found["mae_unit"]})
    huge = score(options, [0.0, 1.0], {"value": np.array([1e6, 1.0])})
    assert "mae_unit" not in huge
    assert huge["mae"] == pytest.approx(5e5)


def test_one_quantile_is_covered_from_below() -> None:
    options = config.Regress(target="y", quantiles=(0.9,))
    answer = {"value": np.zeros(3), "quantiles": np.array([[1.0], [1.0], [1.0]])}
    assert score(options, [0.0, 1.0, 2.0], answer)["coverage"] == pytest.approx(2 / 3)


def test_r2_of_a_constant_is_left_out() -> None:
    found = score(config.Regress(target="y"), [0.1, 0.1, 0.1], {"value": np.zeros(3)})
    assert "r2" not in found
    assert found["mae"] == pytest.approx(0.1)


def test_balanced_classes_are_judged_by_macro_f1() -> None:
    assert primary(CLASSIFY) == ("accuracy", True)
    balanced = config.Classify(target="y", class_weights="balanced")
    assert primary(balanced) == ("macro_f1", True)
    assert primary(config.Regress(target="y")) == ("rmse", False)


def test_report_of_classes_is_scikit_learns() -> None:
    true, p = draw_classes(60, 3)
    names = ["a", "b", "c"]
    text = classification_report(CLASSIFY, [names[t] for t in true], {"probability": p}, names)
    expected = reference.classification_report(true, p.argmax(1), target_names=names, digits=4)
    assert text == expected
    assert classification_report(CLASSIFY, [None] * 60, {"probability": p}, names) == ""


def test_report_of_labels_tags_and_boxes() -> None:
    labels = classification_report(
        LABELS, [["a"]], {"probability": np.array([[0.9, 0.1]])}, ["a", "b"]
    )
    assert "micro avg" in labels
    tags = {"tags": as_objects([["B-part", "O"]])}
    text = classification_report(config.Tag(target="y", on="w"), [["B-part", "B-x"]], tags)
    assert [line.split() for line in text.splitlines() if "part" in line] == [
        ["part", "1.0000", "1.0000", "1.0000", "1"]
    ]
    boxes = {
        "boxes": as_objects([np.array([[0.0, 0, 10, 10]])]),
        "scores": as_objects([np.array([0.9])]),
        "names": as_objects([["scratch"]]),
    }
    truth = [{"boxes": [[0, 0, 10, 10]], "names": ["scratch"]}]
    text = classification_report(config.Locate(target="y", on="p"), truth, boxes)
    assert [line.split() for line in text.splitlines() if "scratch" in line] == [
        ["scratch", "1.0000", "1.0000", "1"]
    ]
    numbers = classification_report(config.Regress(target="y"), [1.0], {"value": np.ones(1)})
    assert numbers == ""


def test_a_tally_scores_any_weighting_of_its_rows() -> None:
    true, p = draw_classes(30, 3, digits=1)
    names = ["a", "b", "c"]
    counted = tally(CLASSIFY, [names[t] for t in true], {"probability": p}, names)
    rows = np.random.default_rng(1).integers(0, 30, 30)
    weight = np.bincount(rows, minlength=30).astype(float)[:, None]
    again = score(CLASSIFY, [names[t] for t in true[rows]], {"probability": p[rows]}, names)
    weighed = {k: float(v[0]) for k, v in counted.figures(weight).items()}
    assert weighed == pytest.approx(again)
