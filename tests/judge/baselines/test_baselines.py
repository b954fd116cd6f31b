"""Simple methods: fitted on training rows alone, ahead of a constant, honest about the split."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from modalloy.cells.cells import Cells
from modalloy.classical.fit import BOOSTED, FROZEN
from modalloy.classical.linear import Linear
from modalloy.classical.method import MethodAnswers
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import BaselineTask, objects
from modalloy.judge.baselines.baselines import baselines
from modalloy.judge.baselines.locate import BOXES
from modalloy.judge.baselines.sample import draw
from modalloy.judge.baselines.tag import TAGGER, WORDS, commonest_tags
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.table.split import Parts
from modalloy.table.table import open_table


class Case(NamedTuple):
    job: config.Job
    readers: Any
    cells_of: Callable[[Sequence[str], np.ndarray], Cells]
    parts: Parts
    targets: Any


def case_of(
    columns: Mapping[str, Sequence[Any]],
    job: Mapping[str, Any],
    train: np.ndarray,
    test: np.ndarray,
) -> Case:
    """Readers and targets fitted on the training rows of a table in memory."""

    def cells_of(names: Sequence[str], rows: np.ndarray) -> Cells:
        return Cells({n: [columns[n][i] for i in rows] for n in names})

    valid = config.Job.model_validate({"table": "t.csv", **job})
    readers = fit_readers(valid, lambda names: cells_of(names, train))
    targets = fit_targets(valid, lambda names: cells_of(names, train))
    return Case(valid, readers, cells_of, Parts(train, train[:0], test), targets)


def easy_case(rows: int = 300, seed: int = 0) -> Case:
    """A number, a category and a word that each say part of the answer; some cells are missing."""
    rng = np.random.default_rng(seed)
    load = rng.normal(0, 1, rows)
    site = rng.choice(["north", "south"], rows)
    bad = (load + (site == "north") + rng.normal(0, 0.3, rows)) > 0.5
    note = ["crack seen" if b and rng.random() < 0.8 else "nothing to see" for b in bad]
    columns = {
        "load": [None if rng.random() < 0.1 else float(v) for v in load],
        "site": [None if rng.random() < 0.1 else s for s in site],
        "note": [None if rng.random() < 0.1 else n for n in note],
        "fault": ["bad" if b else "ok" for b in bad],
        "life": [None if rng.random() < 0.1 else v for v in (10 * load + 5 * bad).tolist()],
    }
    job = {
        "split": {"time": "load"},
        "columns": {
            "load": {"type": "number"},
            "site": {"type": "category"},
            "note": {"type": "text", "max_tokens": 8, "vocabulary": 64},
        },
        "tasks": {
            "fault": {"type": "classify", "target": "fault"},
            "life": {"type": "regress", "target": "life", "quantiles": [0.1, 0.9]},
        },
    }
    order = rng.permutation(rows)
    return case_of(columns, job, np.sort(order[80:]), np.sort(order[:80]))


def test_boosting_beats_the_constant_line_on_an_easy_table() -> None:
    found = baselines(*easy_case(), resamples=40)
    fault, life = found.table["fault"], found.table["life"]
    assert list(fault) == ["always the commonest class", BOOSTED, "logistic regression on words"]
    assert fault[BOOSTED]["accuracy"] > fault["always the commonest class"]["accuracy"] + 0.2
    assert fault["always the commonest class"]["auroc"] == 0.5
    assert list(life) == ["mean of the training rows", BOOSTED, "ridge regression on words"]
    assert life[BOOSTED]["rmse"] < 0.5 * life["mean of the training rows"]["rmse"]
    assert life["mean of the training rows"]["r2"] <= 0
    assert "coverage" not in life[BOOSTED]  # it answers no quantiles
    low, high = fault[BOOSTED]["interval"]["accuracy"]
    assert low < fault[BOOSTED]["accuracy"] < high
    assert "note" not in fault[BOOSTED]


def test_methods_that_are_fitted_already_are_judged_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = easy_case()
    cells_of, parts = case.cells_of, case.parts
    truth = cells_of(("life",), parts.test)["life"]
    known = {"value": np.array([0.0 if v is None else v for v in truth])}
    fits: list[Any] = []
    fit = Linear.fit

    def counted(*given: Any, **options: Any) -> Linear:
        fits.append(given)
        return fit(*given, **options)

    monkeypatch.setattr(Linear, "fit", counted)
    fitted = {BOOSTED: MethodAnswers(known), "ridge": MethodAnswers(known, "stopped early")}
    found = baselines(*case, fitted={"life": fitted}, most=60, resamples=40)
    assert list(found.table["life"]) == ["mean of the training rows", BOOSTED, "ridge"]
    assert found.table["life"][BOOSTED]["rmse"] == 0.0
    assert "note" not in found.table["life"][BOOSTED]
    assert found.table["life"]["ridge"]["note"] == "stopped early"
    assert len(fits) == 1  # of the task whose methods nobody has fitted


def test_each_plain_column_by_itself() -> None:
    case = easy_case()
    sure = {"probability": np.full((80, 2), 0.5)}
    life = {"value": np.zeros(80)}
    found = baselines(*case, answers={"fault": sure, "life": life}, resamples=40).columns
    assert list(found) == ["fault", "life"]
    assert list(found["fault"]) == ["load", "site"]  # the note is no tabular column
    commonest = baselines(*case, resamples=40).table["fault"]["always the commonest class"]
    assert found["fault"]["load"]["accuracy"] > commonest["accuracy"] + 0.15
    assert found["fault"]["load"]["auroc"] > found["fault"]["site"]["auroc"] > 0.5
    assert found["life"]["load"]["r2"] > 0.8 > 0.5 > found["life"]["site"]["r2"]
    margin = found["life"]["load"]["margin"]
    assert margin["gain"] < 0  # the model that always answers 0 is behind
    assert margin["interval"][0] < margin["gain"] < margin["interval"][1]


def test_of_many_columns_the_strongest_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.judge.baselines.baselines.JUDGED", 1)
    case = easy_case()
    answers = {"fault": {"probability": np.full((80, 2), 0.5)}, "life": {"value": np.zeros(80)}}
    few = baselines(*case, answers=answers, resamples=40).columns
    monkeypatch.setattr("modalloy.judge.baselines.baselines.JUDGED", 40)
    every = baselines(*case, answers=answers, resamples=40).columns
    for task, metric in (("fault", "accuracy"), ("life", "rmse")):
        assert few[task]["load"] == every[task]["load"]
        assert "margin" in every[task]["site"]
        assert not {"margin", "interval"} & set(few[task]["site"])
        assert few[task]["site"][metric] == every[task]["site"][metric]


def test_a_linear_model_reads_the_words_of_many_classes() -> None:
    rng = np.random.default_rng(0)
    names = [f"part{i}" for i in range(60)]
    said = rng.integers(0, 60, 1200)
    columns = {
        "note": [None if i % 50 == 0 else f"replace {names[s]} now" for i, s in enumerate(said)],
        "shift": [int(i % 3) for i in range(1200)],
        "code": [f"c{s}" for s in said],
    }
    job = {
        "split": {"random": "stratified"},
        "columns": {
            "note": {"type": "text", "vocabulary": 128},
            "shift": {"type": "number"},
        },
        "tasks": {"code": {"type": "classify", "target": "code"}},
    }
    case = case_of(columns, job, np.arange(900), np.arange(900, 1200))
    figures = baselines(*case, resamples=20).table["code"]
    words = figures["logistic regression on words"]["accuracy"]
    assert words > 0.95  # all but the empty notes


def test_the_same_every_time() -> None:
    assert baselines(*easy_case(), resamples=20) == baselines(*easy_case(), resamples=20)


def test_test_rows_teach_nothing() -> None:
    case = easy_case()
    known = case.parts.test[0]
    honest = case.cells_of

    def spoiled(names: Sequence[str], rows: np.ndarray) -> Cells:
        cells = honest(names, rows)
        swapped = {
            n: ["ok" if n == "fault" and r == known and c == "bad" else
                "bad" if n == "fault" and r == known else c
                for r, c in zip(rows, v, strict=True)]
            for n, v in cells.columns.items()
        }  # fmt: skip
        return Cells(swapped)

    a = baselines(*case, resamples=20).table["fault"][BOOSTED]
    b = baselines(*case._replace(cells_of=spoiled), resamples=20).table["fault"][BOOSTED]
    # One truth of 80 is turned around: one answer more or less is right, none changes.
    assert abs(a["accuracy"] - b["accuracy"]) == pytest.approx(1 / 80)


def test_a_random_split_flatters_where_rows_come_in_groups() -> None:
    rng = np.random.default_rng(1)
    machine = np.repeat(np.arange(40), 10)
    mark = rng.normal(0, 1, 40)[machine] + rng.normal(0, 0.01, 400)  # tells the machine, no more
    life = rng.normal(50, 10, 40)[machine] + rng.normal(0, 1, 400)
    columns = {"mark": mark.tolist(), "life": life.tolist(), "machine": machine.tolist()}
    job = {
        "split": {"by": "machine"},
        "columns": {"mark": {"type": "number"}},
        "tasks": {"life": {"type": "regress", "target": "life"}},
    }
    held = np.isin(machine, np.arange(0, 40, 5))
    case = case_of(columns, job, np.flatnonzero(~held), np.flatnonzero(held))
    naive = baselines(*case, resamples=20).naive["life"]
    assert naive["metric"] == "rmse"
    assert naive["honest"] == baselines(*case, resamples=20).table["life"][BOOSTED]["rmse"]
    assert naive["naive"] < 0.6 * naive["honest"]
    random = case.job.model_copy(update={"split": config.Split(random="stratified")})
    assert baselines(*case._replace(job=random), resamples=20).naive == {}


def test_margins_are_paired_with_the_models_answers() -> None:
    case = easy_case()
    truth = case.targets["fault"].truth(case.cells_of(["fault"], case.parts.test))
    names = case.targets["fault"].names
    perfect = np.array([[float(t == n) for n in names] for t in truth])
    life = case.targets["life"].truth(case.cells_of(["life"], case.parts.test))
    value = np.array([0.0 if v is None else v + 1.0 for v in life])
    answers = {
        "fault": {"probability": perfect},
        "life": {"value": value, "quantiles": np.zeros((80, 2))},
    }
    found = baselines(*case, answers=answers, groups=list(range(80)), resamples=40).table
    figures = found["fault"][BOOSTED]
    assert figures["margin"]["gain"] == pytest.approx(1 - figures["accuracy"])
    low, high = figures["margin"]["interval"]
    assert 0 < low <= figures["margin"]["gain"] <= high
    figures = found["life"][BOOSTED]
    assert figures["margin"]["gain"] == pytest.approx(figures["rmse"] - 1.0)


class Embedded(NamedTuple):
    """Frozen features that say the class outright, of some rows only."""

    train: np.ndarray
    test: np.ndarray
    case: Case

    def of(self, rows: np.ndarray, /) -> np.ndarray:
        assert set(rows) <= set(self.train) | set(self.test)
        truth = self.case.targets["fault"].truth(self.case.cells_of(["fault"], rows))
        rng = np.random.default_rng(0)
        sign = np.array([1.0 if t == "bad" else -1.0 for t in truth])
        return sign[:, None] * np.ones(300) + rng.normal(0, 0.5, (len(rows), 300))

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("note",)


def test_frozen_features_of_some_rows() -> None:
    case = easy_case()
    frozen = Embedded(case.parts.train[::2], case.parts.test[::2], case)
    truth = case.targets["fault"].truth(case.cells_of(["fault"], case.parts.test))
    names = case.targets["fault"].names
    perfect = np.array([[float(t == n) for n in names] for t in truth])
    answers = {"fault": {"probability": perfect}, "life": {"value": np.zeros(80)}}
    found = baselines(*case, frozen=frozen, answers=answers, resamples=20).table
    linear = "logistic regression on frozen features"
    for name in (FROZEN, linear):
        assert found["fault"][name]["accuracy"] == 1.0
        assert found["fault"][name]["margin"]["gain"] == 0.0
        note = found["fault"][name]["note"]
        assert note.startswith("on 110 of 220 training rows and 40 of 80 test rows")
    assert "ridge regression on frozen features" in found["life"]


def test_rows_are_capped_and_the_report_says_so() -> None:
    case = easy_case()
    figures = baselines(*case, most=50, resamples=20).table["fault"][BOOSTED]
    assert figures["note"] == "on 50 of 220 training rows and 50 of 80 test rows"


def test_the_cap_keeps_rows_with_frozen_features() -> None:
    parts = Parts(np.arange(1000), np.zeros(0, int), np.arange(1000, 1400))
    frozen = Embedded(np.arange(0, 1000, 50), np.arange(1000, 1400, 50), easy_case())
    sample = draw(parts, frozen, 100, seed=0)
    assert len(sample.train) == len(sample.test) == 100
    assert set(frozen.train) <= set(sample.rows[sample.train])
    assert sample.rows[sample.seen_train].tolist() == frozen.train.tolist()
    assert sample.rows[sample.seen_test].tolist() == frozen.test.tolist()
    assert parts.test[sample.test_at].tolist() == sample.rows[sample.test].tolist()
    assert len(set(sample.rows)) == 200


def test_tags_are_looked_up_word_by_word() -> None:
    words = [["seal", "leaks"], ["seal", "is", "new"], ["seal"], ["pump", "seal"], None, ["leaks"]]
    tags = [["B-part", "O"], ["B-part", "O", "O"], ["O"], ["B-part", "B-part"], None, ["B-x"]]
    goal = BaselineTask(config.Tag(target="tags", on="words"), None, tags, [w or [] for w in words])
    answer = commonest_tags(goal, np.array([0, 1, 2]), np.array([3, 4, 5]))
    assert list(answer["tags"]) == [["O", "B-part"], [], ["O"]]
    columns = {"words": words * 4, "tags": tags * 4, "doc": list(range(24))}
    job = {
        "split": {"by": "doc"},
        "columns": {"words": {"type": "tokens", "max_tokens": 8, "vocabulary": 64}},
        "tasks": {"parts": {"type": "tag", "target": "tags", "on": "words"}},
    }
    case = case_of(columns, job, np.arange(12), np.arange(12, 24))
    found = baselines(*case, resamples=20)
    assert list(found.table["parts"]) == ["no tag at all", WORDS, TAGGER]
    assert found.table["parts"]["no tag at all"]["span_f1"] == 0
    assert found.table["parts"][WORDS]["span_f1"] > 0.8
    assert found.naive["parts"]["what"] == WORDS


def test_no_margin_where_neither_truth_nor_model_has_a_span() -> None:
    columns = {"words": [["seal", "is"]] * 8, "tags": [["B-part", "O"]] * 4 + [["O", "O"]] * 4}
    columns["doc"] = list(range(8))
    job = {
        "split": {"by": "doc"},
        "columns": {"words": {"type": "tokens", "max_tokens": 8, "vocabulary": 64}},
        "tasks": {"parts": {"type": "tag", "target": "tags", "on": "words"}},
    }
    case = case_of(columns, job, np.arange(4), np.arange(4, 8))
    none = {"tags": objects([["O", "O"]] * 4), "confidence": np.ones(4)}
    found = baselines(*case, answers={"parts": none}, resamples=20).table["parts"]
    assert found[WORDS]["span_f1"] == 0.0  # it finds a part in every row, and none is there
    assert "span_f1" not in found["no tag at all"]
    assert "margin" not in found[WORDS]
    some = {"tags": objects([["O", "B-part"]] * 4), "confidence": np.ones(4)}
    found = baselines(*case, answers={"parts": some}, resamples=20).table["parts"]
    assert found[WORDS]["margin"]["gain"] == 0.0


def test_boxes_have_the_empty_answer_alone(small_table: Path) -> None:
    table = open_table(small_table)
    job = {
        "split": {"by": "machine"},
        "columns": {"photo": {"type": "image", "pixels": 16}},
        "tasks": {"b": {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"}},
    }
    valid = config.Job.model_validate({"table": "t", **job})
    rows = np.arange(60)
    targets = fit_targets(valid, lambda names: table.take(list(names), rows))
    parts = Parts(rows, rows[:0], np.arange(60, 80))
    found = baselines(valid, {}, lambda names, at: table.take(list(names), at), parts, targets)
    assert found.table["b"]["no box at all"]["map50"] == 0
    assert list(found.table["b"]) == ["no box at all", BOXES]
    assert found.naive == {}


def test_several_labels() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (200, 2))
    labels = [[n for n, v in zip("ab", row, strict=True) if v > 0] for row in x]
    columns = {"x": x[:, 0].tolist(), "y": x[:, 1].tolist(), "labels": labels}
    job = {
        "split": {"random": "stratified"},
        "columns": {"x": {"type": "number"}, "y": {"type": "number"}},
        "tasks": {"l": {"type": "classify", "target": "labels", "labels": "multi"}},
    }
    case = case_of(columns, job, np.arange(150), np.arange(150, 200))
    found = baselines(*case, resamples=20)
    assert found.table["l"][BOOSTED]["accuracy"] > 0.9
    assert found.table["l"]["each label's share"]["accuracy"] < 0.6
    assert found.naive == {}  # a random split was asked for


def test_every_kind_of_column_from_files(small_table: Path, job_dict: Any) -> None:
    table = open_table(small_table)
    job = config.Job.model_validate(job_dict(small_table))
    rows = np.arange(60)

    def cells_of(names: Sequence[str], at: np.ndarray) -> Cells:
        return table.take(list(names), at)

    readers = fit_readers(job, lambda names: cells_of(names, rows))
    targets = fit_targets(job, lambda names: cells_of(names, rows))
    parts = Parts(rows, rows[:0], np.arange(60, 80))
    for name, reader in readers.items():  # each column alone knows more than a coin
        found = baselines(job, {name: reader}, cells_of, parts, targets, resamples=10)
        assert BOOSTED in found.table["fault"]
        assert np.isfinite(found.table["life"][BOOSTED]["rmse"])
        if name in ("photo", "vibration", "note", "sound"):
            assert found.table["fault"][BOOSTED]["accuracy"] > 0.7, name


def test_a_class_of_two_rows_that_a_random_split_tests_breaks_nothing() -> None:
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(0, 1, 12).tolist(), "y": ["bad"] * 2 + ["good"] * 10}
    job = {
        "split": {"time": "x"},
        "columns": {"x": {"type": "number"}},
        "tasks": {"y": {"type": "classify", "target": "y"}},
    }
    for seed in range(8):  # for some of them the naive split trains on one class
        case = case_of(columns, job | {"seed": seed}, np.arange(1, 9), np.array([0, 9, 10, 11]))
        found = baselines(*case, resamples=5)
        assert found.naive["y"]["naive"] >= 0.5
        assert BOOSTED in found.table["y"]
