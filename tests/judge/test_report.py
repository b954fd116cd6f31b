"""report.json keeps its form, holds strict JSON, and comes back as it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modalloy.errors import RunError
from modalloy.judge.report import Report


def some_report() -> Report:
    return Report(
        rows={"train": 70, "validation": 10, "test": 20},
        tasks={
            "fault": {"accuracy": 0.9, "interval": {"accuracy": [0.8, 0.95]}},
            "life": {"rmse": 12.5, "r2": -0.0001, "interval": {"rmse": [11.0, 14.0]}},
        },
        about={
            "fault": {"type": "classify", "primary": "accuracy"},
            "life": {"type": "regress", "unit": "h", "primary": "rmse"},
        },
        before={"fault": {"accuracy": 0.7}},
        seconds={"training": 3.5},
        findings=[{"level": "leak", "where": "split", "what": "twins"}],
        job="table: parts.parquet\n",
    )


def test_round_trip(tmp_path: Path) -> None:
    report = some_report()
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report


def test_form_begins_with_the_six_fixed_keys(tmp_path: Path) -> None:
    some_report().save(tmp_path / "report.json")
    state = json.loads((tmp_path / "report.json").read_text())
    fixed = ["rows", "tasks", "subsets", "baselines", "seconds", "environment"]
    assert list(state)[:6] == fixed
    assert state["tasks"]["fault"] == {"accuracy": 0.9, "interval": {"accuracy": [0.8, 0.95]}}


def test_json_is_strict_and_plain(tmp_path: Path) -> None:
    tasks = {
        "a": {
            "rmse": float("nan"),
            "mae": np.float32(0.5),
            "rows": np.int64(3),
            "interval": {"mae": np.array([0.25, np.inf])},
            "ok": np.bool_(True),
        }
    }
    Report(tasks=tasks, job="broken \ud800 text").save(tmp_path / "r.json")

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    state = json.loads(text, parse_constant=refuse)
    expected = {"rmse": None, "mae": 0.5, "rows": 3, "interval": {"mae": [0.25, None]}, "ok": True}
    assert state["tasks"]["a"] == expected


def test_keys_of_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"tasks": {"a": {"accuracy": 1.0}}, "future": [1, 2]}')
    report = Report.load(path)
    assert report.tasks == {"a": {"accuracy": 1.0}}
    assert report.gain == {}


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"tasks": [1, 2]}', "\x00\x01"])
def test_what_is_no_report_gets_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"r\.json: not a report"):
        Report.load(path)


def test_a_missing_report_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="modalloy evaluate"):
        Report.load(tmp_path / "none.json")


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    some_report().save(path)
    before = path.read_bytes()
    with pytest.raises(RunError):
        some_report().save(tmp_path / "no folder" / "r.json")
    path.chmod(0o444)
    Report().save(path)  # replaced by rename, never written into
    assert path.read_bytes() != before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_text_has_units_intervals_and_the_figures_before() -> None:
    text = some_report().text()
    assert "90.0 %" in text
    assert "80.0 to 95.0 %" in text
    assert "before 70.0 %" in text
    assert "12.5 h" in text
    assert "11.0 to 14.0 h" in text
    assert "−0.0" not in text  # a loss of nothing is nothing
    assert "-0.0" not in text


def test_text_begins_with_leaks() -> None:
    found = [
        {"level": "note", "text": "split: small"},
        {"level": "leak", "text": "rows: 5 of 9 rows are rows that the model has learned from"},
    ]
    lines = Report(tasks={"fault": {"accuracy": 0.75}}, findings=found).text().splitlines()
    assert lines[0] == (
        "Do not trust these figures: rows: 5 of 9 rows are rows that the model has learned from"
    )
    assert "small" not in "".join(lines)


def test_text_has_the_best_simple_method_and_the_best_single_column() -> None:
    report = replace(
        some_report(),
        baselines={
            "fault": {
                "majority": {"accuracy": 0.6},
                "gradient boosting": {
                    "accuracy": 0.85,
                    "margin": {"gain": 0.05, "interval": [0.01, 0.09]},
                },
                "published: CNN": {"accuracy": 0.99},
            },
            "life": {"mean": {"rmse": 20.0}, "gradient boosting": {"rmse": 12.0}, "odd": {}},
        },
        gain={
            "fault": {"metric": "accuracy", "best": "photo", "best_value": 0.88, "gain": 0.02},
            "life": {
                "metric": "rmse",
                "best": "table",
                "best_value": 14.5,
                "gain": 2.0,
                "interval": [-0.5, 4.5],
            },
        },
    )
    lines = {line[:41].rstrip(): line[41:].strip() for line in report.text().splitlines()}
    assert lines["fault            best simple method"] == (
        "85.0 %  gradient boosting; gain +5.0 points (95 %: +1.0 to +9.0 points)"
    )
    assert lines["fault            best single column"] == "88.0 %  photo; gain +2.0 points"
    assert lines["life             best simple method"] == (
        "12.0 h  gradient boosting; gain −0.500 h"
    )
    assert lines["life             best single column"] == (
        "14.5 h  table; gain +2.00 h (95 %: −0.500 to +4.50 h)"
    )
    assert "best" not in some_report().text()


def test_what_came_true_of_a_promise_stands_below_the_other_figures() -> None:
    kept = {"method": "classes", "asked": 0.9, "fitted_on": 40, "coverage": 0.912}
    kept |= {"size": 1.25, "sure": 0.8}
    unknown = {"method": "interval", "asked": 0.9, "fitted_on": 40, "coverage": None}
    report = replace(some_report(), calibrated={"fault": kept, "life": unknown})
    lines = report.text().splitlines()
    first, last = (line for line in lines if "promise kept" in line)
    accuracy = next(line for line in lines if "Accuracy" in line)
    assert first.index("91.2 %") + len("91.2 %") == accuracy.index("90.0 %") + len("90.0 %")
    told = "hold the truth, 90 % promised; 1.25 classes a set, 80.0 % sure; by 40 rows"
    assert first.endswith(f"91.2 %  {told}")
    assert last.index("90 % promised, no row tells") == first.index(told)


def test_unit_of_a_logarithmic_scale_says_so() -> None:
    report = Report(about={"cost": {"unit": "USD", "scale": "log"}, "n": {"scale": "log"}})
    assert report.unit("cost") == "log(USD)"
    assert report.unit("n") == "log(target)"


def test_primary_falls_back_on_the_first_known_metric() -> None:
    assert some_report().primary("life") == "rmse"
    assert Report(tasks={"a": {"own": 1.0, "ece": 0.1, "accuracy": 1.0}}).primary("a") == "accuracy"
