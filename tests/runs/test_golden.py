"""Runs that earlier versions made load and answer as they did when they were made."""

import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from golden import answers, rounded
from modalloy.runs.seal import FORMAT, Parent

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CLOSE = 1e-5  # relative, and absolute below 1


def test_every_format_has_a_golden_run() -> None:
    made = sorted(path.name for path in GOLDEN.iterdir())
    assert made == sorted(f"format-{number}" for number in range(1, FORMAT + 1))


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where an answer is not the expected one; what is new beside it does not count."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key, value in expected.items()
            for line in differences(value, found.get(key, "nothing"), f"{where}/{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for i, pair in pairs for line in differences(*pair, f"{where}[{i}]")]
    if isinstance(expected, float) and isinstance(found, float | int):
        same = math.isclose(expected, found, rel_tol=CLOSE, abs_tol=CLOSE)
    else:
        same = expected == found
    return [] if same else [f"{where}: {found!r} where it was {expected!r}"]


def test_a_difference_is_named() -> None:
    old = {"a": [1.0, {"b": "x"}], "c": None, "d": [2.0]}
    assert differences(old, {"a": [1.000001, {"b": "x"}], "c": None, "d": [2.0], "new": 3}) == []
    found = differences(old, {"a": [1.0001, {"b": "y"}], "d": [2.0, 3.0]})
    assert [line.split(":")[0] for line in found] == ["/a[0]", "/a[1]/b", "/c", "/d"]


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_golden_run_answers_as_it_did(number: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(GOLDEN / f"format-{number}" / "run.zip") as archive:
        archive.extractall(tmp_path)
    expected = json.loads((GOLDEN / f"format-{number}" / "expected.json").read_text())
    run = ma.load_run(tmp_path / "run")
    assert (run.format, run.kind) == (number, "model")
    assert run.parent == (Parent(*expected["parent"]) if expected.get("parent") else None)
    parts = {name: run.part(name).decode() for name in run.parts}
    assert parts == expected.get("parts", {})
    for table, said in expected["tables"].items():
        assert differences(said, answers(run, tmp_path / table), table) == []
    # The folder that it was trained in is gone; its table lies beside it now.
    moved = run.job.model_copy(update={"table": str(tmp_path / "parts.csv")})
    report = ma.evaluate(replace(run, job=moved), quiet=True)
    figures = rounded({key: getattr(report, key) for key in expected["figures"]})
    assert differences(expected["figures"], figures) == []
    assert (run.path / "report.html").is_file()
