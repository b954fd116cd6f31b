"""Each kind of row has thresholds of its own where it has rows enough; they survive as JSON."""

import numpy as np
import pytest

from modalloy.answer.precision import Precision, chance_of_less
from modalloy.answer.promise import (
    Known,
    fit_promise,
    keep_promises,
    promises_from_bytes,
    promises_to_bytes,
)
from modalloy.answer.row_groups import RowGroup, without
from modalloy.answer.thresholds import NEVER, Thresholds, outer_quantiles
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.calibrated import band, realised

WHOLE, BLIND, RARE = RowGroup(), RowGroup(("photo",)), RowGroup(("photo", "note"))
ASKED = config.Calibrate()


def rows(draw: np.random.Generator, count: int) -> tuple[dict, np.ndarray, list[RowGroup]]:
    """Answers whose errors are three times as large where the photo is missing."""
    groups = [BLIND if i % 2 else WHOLE for i in range(count)]
    value = draw.normal(0, 1, count)
    spread = np.array([3.0 if g.missing else 1.0 for g in groups])
    return {"value": value}, value + spread * draw.normal(0, 1, count), groups


def test_rows_that_lack_a_column_get_intervals_of_their_own(draw: np.random.Generator) -> None:
    answer, y, groups = rows(draw, 4000)
    own = Thresholds.fit("residual", answer, y, groups, coverage=0.9)
    assert own.of(BLIND).limit_K[0] == pytest.approx(3 * own.of(WHOLE).limit_K[0], rel=0.1)
    new, truth, kinds = rows(draw, 4000)
    told = realised(own, {**new, **own.apply(new, kinds)}, truth.tolist(), kinds, None)
    pooled = Thresholds.fit("residual", answer, y, [WHOLE] * len(y), coverage=0.9)
    same = {**new, **pooled.apply(new, kinds)}
    before = realised(pooled, same, truth.tolist(), kinds, None)
    by_kind = {tuple(k["missing"]): k["coverage"] for k in told["kinds"]}
    without_own = {tuple(k["missing"]): k["coverage"] for k in before["kinds"]}
    assert told["coverage"] == pytest.approx(0.9, abs=0.02)
    assert by_kind[()] == pytest.approx(0.9, abs=0.02)
    assert by_kind[("photo",)] == pytest.approx(0.9, abs=0.02)
    assert without_own[("photo",)] < 0.85
    assert all(k["band"][0] < 0.9 < k["band"][1] for k in told["kinds"])


def test_kinds_with_few_rows_share_thresholds(draw: np.random.Generator) -> None:
    answer, y, _ = rows(draw, 100)
    groups = [*[WHOLE] * 71, *[RARE] * 29]
    found = Thresholds.fit("residual", answer, y, groups, coverage=0.9)
    assert set(found.own) == {WHOLE}  # 30 rows are needed
    assert found.others is None
    assert found.of(RARE) == found.of(RowGroup(("never",))) == found.every
    groups = [*[WHOLE] * 60, *[RARE] * 20, *[BLIND] * 20]
    found = Thresholds.fit("residual", answer, y, groups, coverage=0.9)
    assert found.others is not None
    assert found.of(RARE) == found.of(BLIND) == found.others
    assert found.others.rows == 40


def test_a_class_that_no_answer_can_be_is_never_covered(draw: np.random.Generator) -> None:
    p = draw.dirichlet([1.0, 1.0], 100)
    true = np.where(np.arange(100) < 20, NEVER, p.argmax(1))
    found = Thresholds.fit("lac", {"probability": p}, true, [WHOLE] * 100, coverage=0.9)
    assert not found.useful
    assert Thresholds.fit("lac", {"probability": p}, true, [WHOLE] * 100, coverage=0.7).useful


@pytest.mark.parametrize("sets", ["lac", "aps", "raps"])
def test_the_job_says_which_sets_at_which_coverage(sets: str, draw: np.random.Generator) -> None:
    p = draw.dirichlet([1.0, 1.0, 1.0], 300)
    truth = [("abc")[c] for c in (p.cumsum(1) < draw.random((300, 1))).sum(1).clip(max=2)]
    known = Known({"probability": p}, [None, *truth[1:]], [WHOLE] * 300)
    task, sizes = config.Classify(target="y"), []
    for coverage in (0.6, 0.9):
        asked = config.Calibrate(sets=sets, coverage=coverage)
        found = fit_promise(task, ["a", "b", "c"], known, asked)
        assert isinstance(found, Thresholds)
        assert (found.method, found.coverage, found.every.rows) == (sets, coverage, 299)
        sizes.append(found.apply(known.answer, known.groups)["set"].sum(1).mean())
    assert sizes[0] < sizes[1]


def test_labels_have_a_threshold_each_and_quantiles_are_taken_where_there_are_any(
    draw: np.random.Generator,
) -> None:
    p = draw.random((400, 2))
    yes = draw.random((400, 2)) < p
    truth = [[n for n, y in zip("ab", row, strict=True) if y] for row in yes]
    several = config.Classify(target="y", labels="multi")
    known = Known({"probability": p}, truth, [WHOLE] * 400)
    found = fit_promise(several, ["a", "b"], known, ASKED)
    assert isinstance(found, Thresholds)
    told = {**known.answer, **found.apply(known.answer, known.groups)}
    said = realised(found, told, truth, known.groups, ["a", "b"])
    assert said["coverage"] == pytest.approx(0.9, abs=0.01)
    task = config.Regress(target="y", quantiles=(0.1, 0.5, 0.9), lowest=0.0)
    y = draw.normal(5, 1, 400)
    answer = {"value": np.full(400, 5.0), "quantiles": np.tile([4.5, 5.0, 5.5], (400, 1))}
    found = fit_promise(task, None, Known(answer, y.tolist(), [WHOLE] * 400), ASKED)
    assert isinstance(found, Thresholds)
    assert (found.method, found.quantiles) == ("quantiles", (0, 2))
    assert found.every.limit_K[0] == pytest.approx(1.645 - 0.5, abs=0.2)
    assert outer_quantiles((0.6, 0.9)) is None
    promises, given = {"y": found}, {"y": answer}
    lowest = keep_promises({"y": task}, promises, given, given, [WHOLE] * 400)["y"]
    far = {"y": {**answer, "quantiles": answer["quantiles"] - 4.0}}
    assert lowest["low"].min() > 0.0
    assert keep_promises({"y": task}, promises, far, far, [WHOLE] * 400)["y"]["low"].min() == 0.0


def test_spans_above_the_threshold_are_right_as_often_as_promised(
    draw: np.random.Generator,
) -> None:
    kept, missed, shares = 0, 0, []
    for _ in range(60):
        score = draw.random(600)
        right = draw.random(600) < 0.5 + 0.5 * score  # 90 % from .6 on
        found = Precision.fit(score, right, np.arange(600) // 2, coverage=0.9)
        if found.limit is not None:
            kept += 1
            true = 0.5 + 0.25 * (1 + found.limit)  # of all that lie above it
            missed += true < 0.9
            shares.append(1 - found.limit)
    assert kept > 25
    assert missed <= 9  # 6 are expected at most
    assert np.mean(shares) > 0.1
    assert Precision.fit(score, score < 2, np.arange(600), coverage=0.9).limit == score.min()
    assert Precision.fit(score, score > 2, np.arange(600), coverage=0.9).limit is None
    assert Precision.fit(score[:0], score[:0] > 2, np.arange(0), coverage=0.9).limit is None


def test_spans_that_are_right_together_count_for_fewer() -> None:
    right = np.repeat([True] * 19 + [False], 10)
    alone = chance_of_less(right, np.arange(200), 0.9)
    together = chance_of_less(right, np.repeat(np.arange(20), 10), 0.9)
    assert alone < 0.02 < 0.3 < together
    assert chance_of_less(np.ones(30, bool), np.arange(30), 0.9) == pytest.approx(0.9**30)


def test_tags_and_boxes_say_which_of_them_are_sure() -> None:
    tags, words = np.empty(2, dtype=object), np.empty(2, dtype=object)
    tags[:] = [["B-x", "I-x", "O", "B-y"], []]
    words[:] = [[0.9, 0.6, 0.9, 0.8], []]
    found = Precision(0.9, 0.7, 1, 2)
    answer = {"tags": tags, "word_confidence": words}
    assert list(found.apply(answer)["sure"]) == [["O", "O", "O", "B-y"], []]
    scores = np.empty(1, dtype=object)
    scores[0] = np.array([0.9, 0.3])
    assert found.apply({"scores": scores})["sure"][0].tolist() == [True, False]
    assert not Precision(0.9, None, 1, 2).apply({"scores": scores})["sure"][0].any()
    boxes, names = np.empty(1, dtype=object), np.empty(1, dtype=object)
    boxes[0], names[0] = np.array([[0, 0, 8, 8], [20, 20, 28, 28]]), ["a", "a"]
    known = {"boxes": boxes, "names": names, "scores": scores}
    truth = [{"boxes": [[0, 0, 8, 8]], "names": ["a"]}]
    said = realised(found, known | found.apply(known), truth, [WHOLE], ["a"])
    assert (said["precision"], said["sure"]) == (1.0, 0.5)


def test_promises_are_json_and_those_of_another_version_get_a_sentence(
    draw: np.random.Generator,
) -> None:
    answer, y, groups = rows(draw, 90)
    found = Thresholds.fit("residual", answer, y, groups, coverage=0.9, by=("line",))
    few = Thresholds.fit("residual", answer, y, groups, coverage=0.999)
    promises = {"a": found, "b": Precision(0.9, None, 4, 5), "c": few}
    assert promises_from_bytes(promises_to_bytes(promises)) == promises
    with pytest.raises(RunError, match="made by a newer version"):
        promises_from_bytes(b'{"form": 3, "tasks": {}}')


def test_the_band_is_where_coverage_lies(draw: np.random.Generator) -> None:
    low, high = band(300, 20_000, 0.9, sure=0.9)
    assert (low, high) == (pytest.approx(0.871, abs=0.002), pytest.approx(0.927, abs=0.002))
    assert band(5, 100, 0.9) == [0.0, 1.0]


def test_a_hidden_column_makes_another_kind() -> None:
    hidden = without([WHOLE, BLIND], {"note"}, ["photo", "note"])
    assert hidden == [RowGroup(("note",)), RowGroup(("photo", "note"))]
