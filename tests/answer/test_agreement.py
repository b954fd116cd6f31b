"""When two answers are the same decision, for each kind of task, and how torn the first one was."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modalloy.answer.agreement.agreement import agreement_of, compare_task, merged
from modalloy.answer.agreement.classify import ClassAgreement
from modalloy.answer.agreement.generate import TextAgreement
from modalloy.answer.agreement.locate import BoxAgreement
from modalloy.answer.agreement.plain import PlainAgreement
from modalloy.answer.agreement.regress import NumberAgreement
from modalloy.answer.agreement.tag import TagAgreement
from modalloy.answer.golden_rows import verdict
from modalloy.job import config
from modalloy.readers.targets.regress import NumberTarget

CLASSES = SimpleNamespace(names=["ok", "crack", "dent"], counts=[5, 3, 2])


def classes(*rows: tuple[float, ...], **more: Any) -> dict[str, Any]:
    return {"probability": np.array(rows), **more}


def objects(*cells: Any) -> np.ndarray:
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def test_every_kind_has_its_own_way_and_a_kind_of_ones_own_a_plain_one() -> None:
    kinds: list[tuple[Any, type]] = [
        (config.Classify(target="y"), ClassAgreement),
        (config.Regress(target="y"), NumberAgreement),
        (config.Tag(target="y", on="w"), TagAgreement),
        (config.Locate(target="y", on="p"), BoxAgreement),
        (config.Locate(target="y", on="p", head="detr"), BoxAgreement),
        (config.Generate(target="y"), TextAgreement),
        (config.Custom(target="y", use="tasks.counting:KIT"), PlainAgreement),
    ]
    for options, kind in kinds:
        assert type(agreement_of(options)) is kind


def test_a_class_is_the_same_where_the_likeliest_is() -> None:
    before = classes((0.5, 0.3, 0.2), (0.4, 0.39, 0.21), (0.6, 0.2, 0.2))
    after = classes((0.4, 0.35, 0.25), (0.39, 0.4, 0.21), (0.1, 0.7, 0.2))
    found = compare_task("y", config.Classify(target="y"), CLASSES, before, after)
    assert found.same_B.tolist() == [True, False, False]
    np.testing.assert_allclose(found.margin_B, [0.0, 0.01, 0.4])
    said = ClassAgreement().say(config.Classify(target="y"), CLASSES, before, 1)
    assert said == "ok 40.00 %"


def test_labels_are_the_same_where_each_is_above_one_half_or_not() -> None:
    options = config.Classify(target="y", labels="multi")
    before = classes((0.51, 0.9, 0.1), (0.7, 0.2, 0.1))
    after = classes((0.49, 0.8, 0.2), (0.9, 0.4, 0.3))
    found = compare_task("y", options, CLASSES, before, after)
    assert found.same_B.tolist() == [False, True]
    np.testing.assert_allclose(found.margin_B, [0.02, 0.0])


def test_a_set_and_a_decision_by_costs_are_compared_too() -> None:
    costs: Any = {"miss": 10, "false_alarm": 1}
    decide = config.Decide(costs=costs, positive="crack")
    target = SimpleNamespace(names=["ok", "crack"], counts=[5, 3])
    options = config.Classify(target="y", decide=decide)
    before = classes((0.92, 0.08), (0.905, 0.095))
    after = classes((0.92, 0.08), (0.915, 0.085))
    found = compare_task("y", options, target, before, after)
    # Reject from a probability of 1 / 11 on: rejecting costs 0.905, accepting 0.95 of 10.
    assert found.same_B.tolist() == [True, False]
    np.testing.assert_allclose(found.margin_B, [0.0, 0.045 / 10])
    sets = [np.array([[1, 0], [1, 1]], bool), np.array([[1, 1], [1, 1]], bool)]
    plain = config.Classify(target="y")
    pairs = [before | {"set": sets[0]}, classes((0.91, 0.09), (0.9, 0.1)) | {"set": sets[1]}]
    found = compare_task("y", plain, target, *pairs)
    assert found.same_B.tolist() == [False, True]
    np.testing.assert_allclose(found.margin_B, [0.02, 0.0])


def test_numbers_are_the_same_within_a_hundredth_of_the_targets_deviation() -> None:
    target = NumberTarget("y", "y", 50.0, 10.0, False)
    options = config.Regress(target="y", unit="h")
    before = {"value": np.array([50.0, 60.0, 70.0]), "low": np.array([40.0, -np.inf, 60.0])}
    after = {"value": np.array([50.09, 60.11, 70.0]), "low": np.array([40.0, -np.inf, 60.2])}
    found = compare_task("y", options, target, before, after)
    assert found.same_B.tolist() == [True, False, False]
    np.testing.assert_allclose(found.margin_B, [0.009, 0.011, 0.02], atol=1e-12)
    # One row of a thousand is too many here: beyond the bound nothing is allowed.
    many = {"value": np.zeros(1000)}
    moved = {"value": np.where(np.arange(1000) == 7, 0.2, 0.0)}
    assert not verdict(compare_task("y", options, target, many, moved), 0.01).fine
    assert NumberAgreement().say(options, target, before | {"high": before["low"]}, 0) == (
        "50 h in 40 to 40"
    )


def test_tags_are_the_same_word_by_word() -> None:
    before = {
        "tags": objects(["O", "B-a"], ["O"], ["B-a"]),
        "word_confidence": objects([0.9, 0.55], [0.8], [0.9]),
    }
    after = {
        "tags": objects(["O", "O"], ["O"], ["O"]),
        "word_confidence": objects([0.9, 0.5], [0.7], [0.5]),
    }
    found = compare_task("y", config.Tag(target="y", on="w"), None, before, after)
    assert found.same_B.tolist() == [False, True, False]
    np.testing.assert_allclose(found.margin_B, [0.1, 0.0, 0.8])
    sure = [before | {"sure": objects(["O", "O"], ["O"], [t])} for t in ("O", "B-a")]
    assert compare_task("y", config.Tag(target="y", on="w"), None, *sure).same_B.tolist() == [
        True,
        True,
        False,
    ]


def boxes(scores: list[float], shift: float = 0.0, names: str = "aab") -> dict[str, Any]:
    """Three boxes of ten pixels side by side, the first of them moved."""
    own = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], float)[: len(scores)]
    own[0, [0, 2]] += shift
    return {
        "boxes": objects(own),
        "scores": objects(np.array(scores)),
        "names": objects(list(names[: len(scores)])),
    }


@pytest.mark.parametrize(
    ("after", "same", "margin"),
    [
        (boxes([0.9, 0.5, 0.2], shift=0.4), True, 0.0),  # overlap .92
        (boxes([0.9, 0.5, 0.2], shift=0.6), False, 0.89),  # .89
        (boxes([0.9, 0.5, 0.2], names="bab"), False, 0.89),
        (boxes([0.9, 0.5]), False, 0.19),
    ],
)
def test_boxes_are_the_same_where_each_has_a_partner(
    after: dict[str, Any], same: bool, margin: float
) -> None:
    options = config.Locate(target="y", on="p", max_boxes=8)
    found = compare_task("y", options, None, boxes([0.9, 0.5, 0.2]), after)
    assert found.same_B.tolist() == [same]
    np.testing.assert_allclose(found.margin_B, [margin])


def test_a_box_that_there_was_no_room_for_was_never_certain() -> None:
    options = config.Locate(target="y", on="p", max_boxes=2)
    before, after = boxes([0.9, 0.2]), boxes([0.9, 0.205])
    after["boxes"][0][1] += 15.0  # another one took the last place
    found = compare_task("y", options, None, before, after)
    assert found.same_B.tolist() == [False]
    np.testing.assert_allclose(found.margin_B, [0.0], atol=1e-12)


def test_texts_are_the_same_letter_by_letter() -> None:
    before = {"text": objects("a seal", "a pump"), "confidence": np.array([0.9, 0.8])}
    after = {"text": objects("a seal", "a pipe"), "confidence": np.array([0.9, 0.8])}
    found = compare_task("y", config.Generate(target="y"), None, before, after)
    assert found.same_B.tolist() == [True, False]
    np.testing.assert_allclose(found.margin_B, [0.0, 0.6])


def test_a_kind_of_ones_own_is_compared_array_by_array() -> None:
    options: Any = config.Custom(target="y", use="tasks.counting:KIT")
    before = {"value": np.array([0.0, 2.0, 4.0]), "kind": objects("a", "b", "c")}
    unit = float(np.std([0.0, 2.0, 4.0]))
    after = {"value": np.array([0.0, 2.0 + 0.02 * unit, 4.0]), "kind": objects("a", "b", "d")}
    found = compare_task("y", options, None, before, after)
    assert found.same_B.tolist() == [True, False, False]
    np.testing.assert_allclose(found.margin_B, [0.0, 0.02, np.inf])


def test_a_number_that_is_none_any_more_is_never_the_same() -> None:
    broken = classes((np.nan, 0.3, 0.2), (0.4, 0.39, 0.21))
    before = classes((0.5, 0.3, 0.2), (0.4, 0.39, 0.21))
    found = compare_task("y", config.Classify(target="y"), CLASSES, before, broken)
    assert found.same_B.tolist() == [False, True]
    assert found.margin_B.tolist() == [np.inf, 0.0]


def test_the_verdict_counts_rows_and_forgives_ties_alone() -> None:
    from modalloy.answer.agreement.agreement import Compared

    same_B = np.arange(400) >= 3
    torn = Compared(same_B, np.where(same_B, 0.0, 0.009))
    found = verdict(torn, 0.01)
    assert (found.share, found.worst) == (397 / 400, 0.009)
    assert not found.fine  # 99.25 %
    two = Compared(np.arange(400) >= 2, np.where(np.arange(400) >= 2, 0.0, 0.009))
    assert verdict(two, 0.01).fine  # 99.5 %
    assert not verdict(two, 0.008).fine  # too sure
    ties = Compared(np.zeros(10, bool), np.full(10, 1e-6))
    assert verdict(ties, 0.01).share == 1.0
    both = merged([two, Compared(np.arange(400) != 5, np.full(400, 0.5))])
    assert (~both.same_B).sum() == 3
    assert both.margin_B[[0, 5, 9]].tolist() == [0.009, 0.5, 0.0]
