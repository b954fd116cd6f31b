"""Runs that earlier versions made load and answer as they did when they were made."""

import json
import math
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from golden import answers, rounded
from modalloy.readers.series import SeriesReader
from modalloy.runs.run import Run
from modalloy.runs.seal import FORMAT, Parent

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CLOSE = 1e-5  # relative, and absolute below 1
ROUNDED = (1e-7, 3e-7, 5e-7)  # changes of samples that are nothing but rounding

Allowed = Mapping[str, float]
NOTHING: Allowed = {}


def test_every_format_has_a_golden_run() -> None:
    made = sorted(path.name for path in GOLDEN.glob("format-*"))
    assert made == sorted(f"format-{number}" for number in range(1, FORMAT + 1))


def differences(
    expected: Any, found: Any, where: str = "", *, allowed: Allowed = NOTHING
) -> list[str]:
    """Where an answer is not the expected one; what is new beside it does not count.

    allowed: how far numbers may differ besides, by where they are, without their row.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key, value in expected.items()
            for line in differences(
                value, found.get(key, "nothing"), f"{where}/{key}", allowed=allowed
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [
            line
            for i, pair in pairs
            for line in differences(*pair, f"{where}[{i}]", allowed=allowed)
        ]
    if isinstance(expected, float) and isinstance(found, float | int):
        free = CLOSE + allowed.get(without_row(where), 0.0)
        same = math.isclose(expected, found, rel_tol=CLOSE, abs_tol=free)
    else:
        same = expected == found
    return [] if same else [f"{where}: {found!r} where it was {expected!r}"]


def test_a_difference_is_named() -> None:
    old = {"a": [1.0, {"b": "x"}], "c": None, "d": [2.0]}
    assert differences(old, {"a": [1.000001, {"b": "x"}], "c": None, "d": [2.0], "new": 3}) == []
    found = differences(old, {"a": [1.0001, {"b": "y"}], "d": [2.0, 3.0]})
    assert [line.split(":")[0] for line in found] == ["/a[0]", "/a[1]/b", "/c", "/d"]


def without_row(where: str) -> str:
    """Where a number is, whichever row it is of."""
    return re.sub(r"\[\d+\]", "", where)


def moved(one: Any, other: Any, where: str) -> Iterator[tuple[str, float]]:
    """How far numbers of two answers are apart, by where they are."""
    if isinstance(one, dict):
        for key, value in one.items():
            yield from moved(value, other[key], f"{where}/{key}")
    elif isinstance(one, list) and len(one) == len(other):
        for a, b in zip(one, other, strict=True):
            yield from moved(a, b, where)
    elif isinstance(one, float) and isinstance(other, float):
        yield where, abs(one - other)


def wrong(expected: Any, run: Run, ask: Callable[[Run], Any], where: str) -> list[str]:
    """Where a run does not say what it said, but for what rounding alone changes."""
    found = ask(run)
    if not differences(expected, found, where):
        return []
    return differences(expected, found, where, allowed=apart_by_rounding(run, ask, where))


def apart_by_rounding(run: Run, ask: Callable[[Run], Any], where: str) -> Allowed:
    """How far a run's own answers move as samples of its series are rounded otherwise, threefold.

    Both golden runs standardise spectra that hold nothing but rounding, which processors of another
    make round otherwise; later trainings do not. So their answers are known no better than that.
    """
    usual, found = ask(run), defaultdict[str, float](float)
    for size in ROUNDED:
        readers = {
            name: replace(r, scale=tuple(s * (1 + size) for s in r.scale))
            if isinstance(r, SeriesReader)
            else r
            for name, r in run.readers.items()
        }
        for place, far in moved(usual, ask(replace(run, readers=readers)), where):
            found[place] = max(found[place], 3 * far)
    return found


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
        assert wrong(said, run, partial(answers, table=tmp_path / table), table) == []
    # The folder that it was trained in is gone; its table lies beside it now.
    beside = run.job.model_copy(update={"table": str(tmp_path / "parts.csv")})

    def figures(run: Run) -> Any:
        report = ma.evaluate(replace(run, job=beside), quiet=True)
        return rounded({key: getattr(report, key) for key in expected["figures"]})

    assert wrong(expected["figures"], run, figures, "") == []
    assert (run.path / "report.html").is_file()
