"""Planted causes are found, pages hold what the JSON holds, and mistakes get a sentence."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bench.explain.planted import hits, planted_job, write_planted

import modalloy as ma
from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.explanation import TaskReasons
from modalloy.attribution.network_score import NetworkScore
from modalloy.attribution.outcome import find_outcome
from modalloy.attribution.row_page import say_inside_of
from modalloy.attribution.whole import value_of
from modalloy.errors import JobError, TableError
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> tuple[Run, Path]:
    """A run over a table whose bad rows have one cause each, at a place that is known."""
    folder = tmp_path_factory.mktemp("planted")
    table = write_planted(folder, rows=200)
    job = planted_job(table, epochs=8, pixels=24)
    return ma.train(job, out=folder / "run", quiet=True), table


def test_planted_causes_are_the_strongest_parts(planted: tuple[Run, Path]) -> None:
    run, table = planted
    frame = pd.read_parquet(table)
    bad = frame[(frame.part != "train") & (frame.state == "bad")]
    found = []
    for cause, own in bad.groupby("cause"):
        for row in own.index[:2]:
            why = ma.explain(run, table, row=int(row), label="bad", past=0)
            said = why.as_dict()["tasks"]["state"]
            found.append(hits(said, str(cause), list(frame.place[row])))
    assert len(found) == 6
    assert sum(found) >= 5


def test_a_rows_page_holds_the_answer_and_needs_no_network(
    planted: tuple[Run, Path], tmp_path: Path
) -> None:
    run, table = planted
    frame = pd.read_parquet(table)
    row = int(frame.index[(frame.part == "test") & (frame.cause == "note")][0])
    page = tmp_path / "why.html"
    why = ma.explain(run, table, row=row, actionable=["load"], out=page)
    said = json.loads(page.with_suffix(".json").read_text())
    own, told = said["tasks"]["state"], ma.predict(run, table, quiet=True).iloc[row]
    assert own["answer"].startswith(f"{told['state']} (")
    assert own["value"] == pytest.approx(told["state.probability"], abs=1e-4)
    added = sum(c["adds"] for c in own["columns"].values())
    assert own["value_with_all_hidden"] + added == pytest.approx(own["value"], abs=1e-4)
    assert set(own["inside"]) <= {"photo", "note", "vibration"} < set(own["columns"])
    assert len(own["inside"]["vibration"]["bands"]) == 24
    assert [p["distance"] for p in said["past"]] == sorted(p["distance"] for p in said["past"])
    text = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    for part in ("leaking", "What each column adds", "Nearest past rows", "What would change it"):
        assert part in text
    shown = why._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert why.text().splitlines()[1].startswith(f"state: {told['state']}")


def test_an_overview_names_the_rows_that_hang_on_one_column(
    planted: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, table = planted
    monkeypatch.chdir(table.parent)
    frame = pd.read_parquet(table).iloc[::5].reset_index(drop=True)
    page = tmp_path / "all.html"
    found = ma.explain(run, frame, out=page, quiet=True)
    said = json.loads(page.with_suffix(".json").read_text())["tasks"]["state"]
    assert said["rows"] == len(frame) == sum(c["rows"] for c in said["classes"].values())
    size = {c: v["size"] for c, v in said["columns"].items()}
    assert max(size, key=lambda c: size[c]) in ("photo", "note")  # causes that are learned soon
    cause = pd.read_parquet(table)["cause"].iloc[::5].tolist()
    patched = [r for r in found["state"].rows if cause[r.row] == "photo"]
    for one in patched:
        sign = 1 if one.outcome.name == "bad" else -1
        assert sign * value_of(one.columns, "photo") > 0
    assert patched
    assert found["state"].alone()
    for one in found["state"].alone():
        blank = frame.iloc[[one.row]].assign(**{one.strongest[0]: None})
        assert ma.predict(run, blank, quiet=True)["state"][0] != one.outcome.name
    assert "Which column carries which class" in page.read_text()
    assert f"{len(frame)} of {len(frame)} rows" in found.text()


def test_gradients_add_up_to_what_a_cell_changes(planted: tuple[Run, Path]) -> None:
    run, table = planted
    predictor = Predictor(run)
    asked = AskedRow(predictor, predictor.open(open_table(table))[0], 4)
    score = NetworkScore(asked, find_outcome(asked, "state", label="bad", item=0), "photo")
    pixels = score.values["pixels"].float()
    part, gap = score.gradients("pixels", pixels * 0 + 90)
    there, before = score.many("pixels", pixels), score.many("pixels", pixels * 0 + 90)
    change = float(there[0] - before[0])
    assert gap < 0.1
    assert part.sum() == pytest.approx(change, abs=0.1 * abs(change))
    p = float(asked.ask("state", [frozenset()])["probability"][0, 0])
    assert there[0] == pytest.approx(np.log(p / (1 - p)), abs=1e-3)


def test_mistakes_get_one_sentence_each(
    planted: tuple[Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, table = planted
    wrong: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (TableError, r"there is no row 200; it has 200 rows, counted from 0\.", {"row": 200}),
        (JobError, r"has no task 'stat'\. Did you mean 'state'", {"row": 1, "task": "stat"}),
        (JobError, r"has no class 'god'\. Did you mean 'good'", {"row": 1, "label": "god"}),
        (JobError, "'note' is no number column", {"row": 1, "actionable": ["note"]}),
    ]
    for kind, said, options in wrong:
        with pytest.raises(kind, match=said) as caught:
            ma.explain(run, table, **options)
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(JobError, match=r"pip install 'modalloy\[explain\]'"):
        ma.explain(run, table, row=1)


def test_a_blend_says_whose_the_marks_are() -> None:
    said = say_inside_of(TaskReasons("t", "", network=0.62))
    assert "The network has 62 % of this answer" in said
    assert "classical" not in say_inside_of(TaskReasons("t", ""))
