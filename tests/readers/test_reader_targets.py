import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.locate import BoxTarget
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.tag import TagTarget

WORDS = ["replace", "the", "cracked", "seal"]
TAGS = ["O", "O", "B-fault", "B-part"]


def classes(cells: list[object], **options: object) -> ClassTarget:
    return ClassTarget.fit(
        "fault", config.Classify(target="code", **options), Cells({"code": cells})
    )


def numbers(cells: list[object], **options: object) -> NumberTarget:
    return NumberTarget.fit(
        "life", config.Regress(target="hours", **options), Cells({"hours": cells})
    )


def tags(tag_cells: list[object], word_cells: list[object]) -> TagTarget:
    cells = Cells({"tags": tag_cells, "words": word_cells})
    return TagTarget.fit("find", config.Tag(target="tags", on="words"), cells)


def boxes(columns: dict[str, list[object]]) -> BoxTarget:
    labels = "kind" if "kind" in columns else None
    options = config.Locate(target="boxes", on="photo", labels=labels)
    return BoxTarget.fit("spots", options, Cells(columns))


# --- classes -------------------------------------------------------------------------------------


def test_classes_are_numbered_counted_and_known() -> None:
    target = classes(["ok", "crack", "ok", None, "ok"])
    assert target.columns == ("code",)
    assert (target.names, target.counts, target.rows) == (("crack", "ok"), (1, 3), 4)
    cells = Cells({"code": ["ok", "crack", None, "bent"]})
    read = target.read(cells)
    assert read["y"].tolist() == [1, 0, 0, 0]
    assert read["y"].dtype == np.int64
    assert read["known"].tolist() == [True, True, False, False]
    assert target.truth(cells) == ["ok", "crack", None, "bent"]


def test_numbers_as_classes_keep_their_order_and_their_name() -> None:
    target = classes([10, 9, 2.0, 10, np.int64(2)])
    assert target.names == ("2", "9", "10")
    assert target.truth(Cells({"code": [9.0, np.float32(2)]})) == ["9", "2"]


@pytest.mark.parametrize(
    "cells",
    [
        [["a", "b"], ["b"], [], None, ["a", "a"]],
        ["a;b", " b ", [], None, "a"],
        ['["a", "b"]', '["b"]', "[]", "", "a;a"],
        [np.array(["a", "b"], dtype=object), ("b",), [], math.nan, "a"],
    ],
)
def test_labels_are_lists_or_joined_names(cells: list[object]) -> None:
    target = classes(cells, labels="multi")
    assert (target.names, target.counts, target.rows) == (("a", "b"), (2, 2), 4)
    read = target.read(Cells({"code": cells}))
    assert read["y"].tolist() == [[1, 1], [0, 1], [0, 0], [0, 0], [1, 0]]
    assert read["y"].dtype == np.float32
    assert read["known"].tolist() == [True, True, True, False, True]
    assert target.truth(Cells({"code": cells})) == [["a", "b"], ["b"], [], None, ["a"]]
    unseen = Cells({"code": ["a;z"]})
    assert not target.read(unseen)["known"].any()
    assert target.truth(unseen) == [["a", "z"]]


@pytest.mark.parametrize(
    "cell", [["a", "b"], ("a",), [], np.array(["a"], dtype=object), '["a", "b"]', ' ["a"]']
)
def test_lists_are_no_classes_unless_a_row_may_have_several(cell: object) -> None:
    with pytest.raises(TableError, match=r"'code' holds lists such as .* set labels: multi in"):
        classes(["a", "b", cell])
    assert classes(["a", "b", cell], labels="multi").names == ("a", "b")
    assert classes(["[a]", "[b", "[a]"]).names == ("[a]", "[b")


def test_fewer_than_two_classes_are_refused() -> None:
    with pytest.raises(TableError, match="column 'code' is empty in all 2 training rows"):
        classes([None, ""])
    with pytest.raises(TableError, match="column 'code' holds only 'ok' in 2 training rows"):
        classes(["ok", "ok", None])
    with pytest.raises(TableError, match="holds only 'a'"):
        classes(["a", "a"], labels="multi")
    with pytest.raises(TableError, match="holds no label"):
        classes([[], []], labels="multi")
    with pytest.raises(TableError, match=r"column 'code': .* is no JSON"):
        classes(["['a']", "b"], labels="multi")
    assert classes(["a", []], labels="multi").names == ("a",)


# --- numbers -------------------------------------------------------------------------------------


def test_numbers_are_standardised_and_come_back() -> None:
    y = np.random.default_rng(0).normal(50.0, 7.0, 200)
    target = numbers(list(y))
    cells = Cells({"hours": [*y, None, math.inf]})
    read = target.read(cells)
    assert np.allclose(read["y"][:200], (y - y.mean()) / y.std(), atol=1e-5)
    assert read["y"].dtype == np.float32
    assert read["known"].tolist() == [True] * 200 + [False] * 2
    assert not read["y"][200:].any()
    assert target.truth(cells)[:200] == y.tolist()
    assert target.truth(cells)[200:] == [None, None]
    assert np.allclose(target.to_unit(read["y"][:200]), y, atol=1e-4)
    assert np.array_equal(target.to_natural(y), y)


def test_log_numbers_are_judged_on_the_log_scale() -> None:
    y = np.array([-1e5, -3.0, 0.0, 10.0, 1e6])
    target = numbers(list(y), scale="log")
    cells = Cells({"hours": list(y)})
    log = np.sign(y) * np.log1p(np.abs(y))
    assert np.allclose(target.truth(cells), log)
    assert np.allclose(target.to_unit(target.read(cells)["y"]), log, atol=1e-5)
    assert np.allclose(target.to_natural(log), y)


def test_numbers_beyond_the_bounds_of_their_task_are_refused() -> None:
    y = [0.0, 0.2, 1.0, None, 0.7]
    for scale in ("linear", "log"):
        assert numbers(y, scale=scale, lowest=0, highest=1) == numbers(y, scale=scale)
        with pytest.raises(TableError, match=r"holds 0, which is below lowest 0\.1 of task"):
            numbers(y, scale=scale, lowest=0.1)
        with pytest.raises(TableError, match=r"holds 1, which is above highest 0\.6 of task"):
            numbers(y, scale=scale, highest=0.6)


def test_targets_without_anything_to_learn_are_refused() -> None:
    with pytest.raises(TableError, match="is empty in all 2 training rows"):
        numbers([None, math.nan])
    with pytest.raises(TableError, match="column 'hours' is 5 in all training rows"):
        numbers([5.0, None, 5])
    with pytest.raises(TableError, match="column 'hours' holds 'many', which is no number"):
        numbers([5.0, "many"])
    with pytest.raises(TableError, match="set scale: log"):
        numbers([1e308, -1e308, 1.0])
    assert numbers([1e308, -1e308, 1.0], scale="log").scale > 0


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e100, 1e100)), min_size=2, max_size=9), st.floats()
)
@settings(deadline=None, max_examples=60)
def test_standardised_numbers_are_finite(cells: list[object], other: float) -> None:
    try:
        target = numbers(cells)
    except TableError:
        return
    read = target.read(Cells({"hours": [*cells, other]}))
    assert np.isfinite(read["y"]).all()
    assert np.isfinite(read["y"].astype(np.float32) ** 2).all()


# --- tags ----------------------------------------------------------------------------------------


def test_tags_are_numbered_a_word_and_padded() -> None:
    target = tags([TAGS, ["B-part", "I-part"], None], [WORDS, ["hydraulic", "pump"], ["x"]])
    assert target.columns == ("tags", "words")
    assert target.names == ("O", "B-fault", "I-fault", "B-part", "I-part")
    cells = Cells(
        {
            "tags": [np.array(TAGS, dtype=object), '["B-part", "I-part"]', None, ["B-new"]],
            "words": [WORDS, ["hydraulic", "pump"], ["x"], ["new"]],
        }
    )
    read = target.read(cells)
    assert read["y"].tolist() == [
        [0, 0, 1, 3],
        [3, 4, -100, -100],
        [-100] * 4,
        [-100] * 4,
    ]
    assert read["known"].tolist() == [True, True, False, True]
    assert target.truth(cells) == [TAGS, ["B-part", "I-part"], None, ["B-new"]]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            ["O", "O", "I-part", "O"],
            "tag I-part of word 2 of 'replace the cracked seal' follows no",
        ),
        (["O", "B-a", "I-b", "O"], "follows no tag of its kind"),
        (["NN", "O", "O", "O"], "tag 'NN' of .* is not O, B-"),
        (["B-", "O", "O", "O"], "is not O"),
        (["", "O", "O", "O"], "is not O"),
        (["O", "O"], "2 tags for the 4 words"),
        ([1, 2, 3, 4], "is no list of words"),
        (5, "1 tags for the 4 words"),
    ],
)
def test_tags_that_are_not_bio_are_refused(cell: object, words: str) -> None:
    with pytest.raises(TableError, match=f"column 'tags': .*{words}"):
        tags([TAGS, cell], [WORDS, WORDS])


def test_tags_that_find_nothing_are_refused() -> None:
    with pytest.raises(TableError, match="column 'tags' is empty in all 1 training rows"):
        tags([None], [WORDS])
    with pytest.raises(TableError, match="tags every word of 1 training rows as O"):
        tags([["O"] * 4], [WORDS])


# --- boxes ---------------------------------------------------------------------------------------


def test_boxes_are_read_with_their_names_and_padded() -> None:
    columns = {
        "boxes": [
            "[[1, 2, 3, 4], [0.5, 0, 9, 9]]",
            np.array([np.array([1, 1, 2, 2])], dtype=object),
            [],
            None,
            [[0, 0, 1, 1]],
        ],
        "kind": ['["dent", "scratch"]', np.array(["dent"], dtype=object), None, None, "new"],
    }
    target = boxes({name: cells[:4] for name, cells in columns.items()})
    assert target.columns == ("boxes", "kind")
    assert target.names == ("dent", "scratch")
    read = target.read(Cells(columns))
    assert read["boxes"].shape == (5, 2, 4)
    assert read["boxes"].dtype == np.float32
    assert read["boxes"][0].tolist() == [[1, 2, 3, 4], [0.5, 0, 9, 9]]
    assert read["classes"].tolist() == [[0, 1], [0, -1], [-1, -1], [-1, -1], [-1, -1]]
    assert read["known"].tolist() == [True, True, True, False, False]
    truth = target.truth(Cells(columns))
    assert truth[0]["names"] == ["dent", "scratch"]
    assert truth[2]["boxes"].shape == (0, 4)
    assert truth[3] is None
    assert truth[4]["names"] == ["new"]


def test_boxes_without_names_are_of_one_kind() -> None:
    target = boxes({"boxes": [[[0, 0, 1, 1]]]})
    assert target.columns == ("boxes",)
    assert target.read(Cells({"boxes": ["[[0, 0, 2, 1]]"]}))["classes"].tolist() == [[0]]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ([[3, 0, 1, 1]], r"box \[3.0, 0.0, 1.0, 1.0\] is not"),
        ([[0, 0, 1, 0]], "x1 < x2 and y1 < y2"),
        ([[0, 0, math.nan, 1]], "is not"),
        ([[0, 0, 1]], "is no list of boxes"),
        ([0, 0, 1, 1], "is no list of boxes"),
        ("box", "is no list of numbers"),
    ],
)
def test_boxes_that_are_none_are_refused(cell: object, words: str) -> None:
    with pytest.raises(TableError, match=f"column 'boxes': .*{words}"):
        boxes({"boxes": [cell]})


def test_names_and_boxes_must_be_as_many() -> None:
    with pytest.raises(TableError, match="column 'boxes': 2 names for the 1 boxes"):
        boxes({"boxes": [[[0, 0, 1, 1]]], "kind": [["a", "b"]]})
    with pytest.raises(TableError, match="holds no box in 1 training rows"):
        boxes({"boxes": ["[]"]})
    with pytest.raises(TableError, match="is empty in all 1 training rows"):
        boxes({"boxes": [None]})


def test_state_is_json_and_reads_the_same() -> None:
    columns = {"boxes": [[[0, 0, 1, 1]]], "kind": [["a"]], "tags": [TAGS], "words": [WORDS]}
    columns |= {"code": ["a"], "hours": [2.0]}
    for target in (
        classes(["a", "b"]),
        classes(["a", "a;b"], labels="multi"),
        numbers([1.0, 4.0], scale="log"),
        tags([TAGS], [WORDS]),
        boxes({"boxes": columns["boxes"], "kind": columns["kind"]}),
    ):
        again = type(target).from_state(json.loads(json.dumps(target.state())))
        assert again == target
        for name, value in target.read(Cells(columns)).items():
            assert np.array_equal(again.read(Cells(columns))[name], value)
