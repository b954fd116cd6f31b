"""The board of defaults: its tables, its few edits of printed jobs, and how it counts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.defaults import __main__ as board
from bench.defaults.case import Anchor, Case, LeftOutError, Places
from bench.defaults.cases import ASKED_MADE, MADE, all_cases, made
from bench.defaults.edits import PART, edited, for_choosing, with_split
from bench.defaults.goals import counted
from bench.defaults.lines import best_method, comparable, failed_lines, lines_of, points
from bench.defaults.table import page
from bench.defaults.training import Trained
from bench.figure import Figure
from bench.scoreboard.goals import GOALS

import modalloy as ma
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

NOWHERE = Path("no such folder")
QUICK = (
    "twelve_rows",
    "many_names",
    "prices",
    "times",
    "wine",
    "texts",
    "pictures",
    "sounds",
    "series",
    "vectors",
    "mixture",
)
REPO = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", QUICK)
def test_init_prints_a_job_for_every_made_table(name: str, tmp_path: Path) -> None:
    case = made(name)
    path = case.table(Places(NOWHERE, tmp_path))
    job = load_job(ma.init(str(path), target=list(case.targets)))
    opened = open_table(path)
    parts = split_job(opened, job)
    assert list(job.tasks) == [case.figures[0].task]
    assert min(len(parts.train), len(parts.test)) >= 12 - 2  # 12 rows lose some to stop by
    again = case.table(Places(NOWHERE, tmp_path / "again"))
    assert again.read_bytes() == path.read_bytes()  # the same bits by its seed


def test_every_kind_of_column_and_size_is_on_the_board() -> None:
    cases = all_cases(NOWHERE)
    kinds = [case.kind for case in cases.values()]
    assert [kinds.count(k) for k in ("shared", "holdout", "series")] == [17, 4, 5]
    assert set(MADE) == set(ASKED_MADE)
    assert all(case.asks for case in cases.values())
    held = {name for name, case in cases.items() if case.holds_out}
    wanted = {"esc10", "av_digits", "cwru", "cwru_load", "cwru_bearing", "elpv_mono", "elpv_poly"}
    assert held == wanted
    assert len(cases["esc10"].splits) == 5
    assert cases["av_digits"].splits[0]["column"] == "split"
    assert set(cases["shipments"].anchors) == {"late/auroc", "freight_usd/r2"}
    assert cases["shipments"].anchors["freight_usd/r2"].scale == "log"
    assert len(cases["bike_frames"].targets) == 10
    assert [case.name for case in cases.values() if case.kind == "shared"] == list(GOALS)


def test_a_set_that_is_not_here_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LeftOutError, match=r"elpv: no table in .*; give the data with --data"):
        all_cases(tmp_path)["elpv"].table(Places(tmp_path, tmp_path))


PRINTED = """\
table: t.csv
split: {random: stratified}  # no better way
columns:
  a: {type: number}  # numbers
  told: {type: category}  # 2 names
  site: {type: category}  # 3 names
tasks:
  y: {type: classify, target: y}
"""


def make_case(**given: Any) -> Case:
    return made("wine").__class__(
        "mine", "shared", "?", lambda places: NOWHERE, ("y",), (Figure("y", "accuracy"),), **given
    )


def test_edits_are_the_split_its_column_and_what_gives_the_answer_away() -> None:
    split = {"by": "site", "hold_out": ["1"], "validation": 0}
    case = make_case(splits=(split,), giveaways=("told", "absent"))
    job, edits = edited(PRINTED, case, split)
    told = 'split: {by: site, hold_out: ["1"], validation: 0}'
    assert edits == [told, "told: ignore", "site: group"]
    loaded = load_job(job)
    assert loaded.split.hold_out == ("1",)
    assert {n: c.type for n, c in loaded.columns.items()} == {
        "a": "number",
        "told": "ignore",
        "site": "group",
    }
    assert edited(PRINTED, make_case(), None) == (PRINTED, [])
    ignored = PRINTED.replace("told: {type: category}", "told: {type: ignore}")
    assert edited(ignored, case, None) == (ignored, [])
    with pytest.raises(ValueError, match="0 lines of the job begin with 'split: '"):
        with_split("table: t.csv\n", split)


def test_choosing_never_sees_a_test_row(tmp_path: Path) -> None:
    rows = [
        f"{k // 2},{'ab'[k % 2]},{'train' if k < 40 else 'val' if k < 50 else 'test'}"
        for k in range(80)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,y,split", *rows]) + "\n")
    printed = ma.init(str(path), target="y")
    text, table = for_choosing(printed, load_job(printed), open_table(path))
    job = load_job(text)
    parts = split_job(table, job)
    assert job.split.column == PART
    assert list(parts.test) == list(range(40, 50))
    learned = np.sort(np.concatenate([parts.train, parts.validation]))
    assert list(learned) == list(range(40))
    drawn = printed.replace("{column: split}", "{random: stratified}")
    kept = split_job(open_table(path), load_job(drawn))
    tested = []
    for seed in (0, 1):
        job = load_job(drawn).model_copy(update={"seed": seed})
        text, table = for_choosing(drawn, job, open_table(path))
        chosen = split_job(table, load_job(text))
        assert not set(kept.test) & {k for part in chosen for k in part}
        assert len(chosen.test) == 13  # a fifth of 64
        tested.append(list(chosen.test))
    assert tested[0] != tested[1]
    without = with_split(printed, {"column": "split", "validation": 0})
    stripped = tmp_path / "u.csv"
    stripped.write_text(path.read_text().replace(",val", ",train"))
    text, table = for_choosing(without, load_job(without), open_table(stripped))
    parts = split_job(table, load_job(text))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (40, 0, 10)
    assert max(parts.test) < 50


def make_report(value: float, baselines: Mapping[str, Any], **about: Any) -> dict[str, Any]:
    figures = {"accuracy": value, "ece": 0.2, "interval": {"accuracy": [0.5, 0.9]}}
    return {
        "tasks": {"y": figures},
        "baselines": {"y": baselines},
        "about": {"y": about},
        "rows": {"train": 50, "test": 20},
    }


def test_the_best_method_is_the_one_that_the_model_is_least_ahead_of() -> None:
    figure = Figure("y", "accuracy")
    lines = {
        "boosting": {"accuracy": 0.7, "margin": {"metric": "accuracy", "gain": -0.02}},
        "linear": {"accuracy": 0.75},
        "published: x": {"accuracy": 0.99},
        "words": {"accuracy": None},
    }
    best = best_method(figure, [make_report(0.8, lines)])
    assert best is not None
    assert best[:2] == ("boosting", 0.7)  # .82 on the rows that both were judged on
    assert best.ahead == pytest.approx(-2)
    both = [make_report(0.8, lines), make_report(0.9, {"linear": {"accuracy": 0.8}})]
    best = best_method(figure, both)
    assert best is not None
    assert best.name == "linear"
    assert best.ahead == pytest.approx(7.5)
    assert best_method(figure, [make_report(0.8, {})]) is None


def test_three_per_cent_of_an_error_are_a_point() -> None:
    assert points(0.9, 0.88, lower=False) == pytest.approx(2)
    assert points(9.7, 10.0, lower=True) == pytest.approx(1)
    assert points(10.9, 10.0, lower=True) == pytest.approx(-3)


def test_figures_on_another_scale_are_not_compared() -> None:
    anchor, figure = Anchor(0.6, "theirs", "log"), Figure("y", "r2")
    assert comparable(anchor, figure, [make_report(0.5, {}, scale="log")]) == anchor
    assert comparable(anchor, figure, [make_report(0.5, {}, scale="linear")]) is None


def test_a_line_averages_its_trainings_and_says_whether_it_is_good_enough() -> None:
    case = make_case(
        splits=({"by": "site", "hold_out": ["1"]},) * 2,
        anchors={"y/accuracy": Anchor(0.86, "theirs")},
    )
    lines = {"linear": {"accuracy": 0.84}}
    trained = [
        Trained(make_report(0.8, lines), ["split: x"], 1.0, 100.0, 80.0, 50.0, 1.0),
        Trained(make_report(0.9, lines), ["split: x"], 2.0, 90.0, 85.0, 40.0, 2.0),
    ]
    (line,) = lines_of(case, trained, "the command")
    assert (line["value"], line["anchor"], line["to_anchor"]) == (0.85, 0.86, -1.0)
    assert (line["best_value"], line["to_best"]) == (0.84, 1.0)
    assert (line["seconds"], line["cpu_seconds"]) == (100.0, 85.0)
    assert (line["peak_gb"], line["trainings"]) == (2.0, 2)
    assert line["edits"] == ["split: x"]
    assert line["calibration_error"] == 0.2
    assert line["reached"] is False  # for its calibration alone
    sure = [t._replace(report=sure_of(t.report)) for t in trained]
    assert lines_of(case, sure, "")[0]["reached"] is True
    slow = [t._replace(seconds=181.0) for t in sure]
    assert lines_of(case, slow, "")[0]["reached"] is False  # 70 rows have 180 seconds


def sure_of(report: dict[str, Any]) -> dict[str, Any]:
    return report | {"tasks": {"y": report["tasks"]["y"] | {"ece": 0.1}}}


def make_line(case: str, kind: str = "shared", **given: Any) -> dict[str, Any]:
    return {
        "case": case,
        "kind": kind,
        "value": 0.9,
        "anchor": 0.9,
        "anchor_of": "theirs",
        "to_anchor": 0.0,
        "to_best": 1.0,
        "perfect": False,
        "holds_out": False,
        "calibration_error": 0.3,
        "rows": 1000,
        "seconds": 10.0,
    } | given


def test_what_is_asked_of_all_lines_is_counted() -> None:
    lines = [
        *(make_line(f"good {k}") for k in range(12)),
        make_line("two tasks"),
        make_line("two tasks", to_anchor=-1.5),
        make_line("far", to_anchor=-3.5, to_best=-0.6),
        make_line("held", holds_out=True),
        make_line("slow", rows=499, seconds=181.0),
        make_line("other scale", anchor=None, to_anchor=None),
        *failed_lines(make_case(), "MemoryError", ""),
    ]
    found = {c.what.split(" the hand-set")[0]: (c.found, c.reached) for c in counted(lines)}
    assert found == {
        "shared sets at most 1 point behind": ("14 of 18", True),
        "shared sets more than 3 points behind": ("far, mine", False),
        "cases more than 0.5 points behind their best simple method": ("far, mine", False),
        "lines ahead of their best simple method, or perfect": ("17 of 19 (89%)", True),
        "cases that hold something out with a calibration error above 0.15": ("held", False),
        "cases that take longer than they may": ("mine, slow", False),
        "cases that could not be trained": ("mine", False),
    }


def test_series_sets_are_counted_beside_minirocket() -> None:
    lines = [
        make_line("a", "series", value=0.95, anchor=0.9, to_anchor=5.0),
        make_line("b", "series", value=0.85, anchor=0.9, to_anchor=-5.0),
    ]
    mean, far = counted(lines)[-2:]
    assert (mean.goal, mean.found, mean.reached) == (">= 0.900", "0.900", True)
    assert (far.found, far.reached) == ("b", False)
    without = [make_line("a", "series", anchor=None, to_anchor=None)]
    assert [c.what for c in counted(without)][-1] == "cases that could not be trained"


def test_a_case_that_breaks_is_a_line_of_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*given: Any, **named: Any) -> None:
        raise MemoryError("all of it")

    monkeypatch.setattr(board, "apart", breaks)
    monkeypatch.setattr(board, "RESULTS", tmp_path / "defaults.json")
    monkeypatch.setattr(board, "PAGE", tmp_path / "page.md")
    board.PAGE.write_text("mine\n<!-- figures -->\nold\n<!-- /figures -->\n")
    monkeypatch.setattr("sys.argv", ["defaults", "wine", "--data", str(tmp_path)])
    board.main()
    (line,) = json.loads(board.RESULTS.read_text())
    assert (line["case"], line["failed"], line["reached"]) == (
        "wine",
        "MemoryError: all of it",
        False,
    )
    assert line["command"] == "python -m bench.defaults wine --seeds 1"
    text = board.PAGE.read_text()
    assert text.startswith("mine\n<!-- figures -->\n\n1 of 44 cases have been run.\n")
    assert "| wine | target | accuracy | failed: MemoryError: all of it |" in text


def test_the_page_holds_the_figures_of_the_results() -> None:
    lines = json.loads((REPO / "bench" / "results" / "defaults.json").read_text())
    text = (REPO / "docs" / "defaults.md").read_text()
    between = text.partition("<!-- figures -->\n")[2].partition("<!-- /figures -->\n")[0]
    assert between == page(lines, all_cases(NOWHERE)), "run python -m bench.defaults --table"
    assert [x["command"].split()[3] for x in lines] == [x["case"] for x in lines]
