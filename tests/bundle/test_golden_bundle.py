"""Bundles that earlier versions made load, and answer as they did when they were made."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from golden import answers
from modalloy.bundle.manifest import FORMAT

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CLOSE = 1e-4  # relative, and absolute below 1: another processor rounds in other places


def test_every_format_has_a_golden_bundle() -> None:
    made = sorted(path.name for path in GOLDEN.glob("bundle-*"))
    assert made == sorted(f"bundle-{number}" for number in range(1, FORMAT + 1))


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for rounding."""
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_golden_bundle_answers_as_it_did(number: int) -> None:
    folder = GOLDEN / f"bundle-{number}"
    expected = json.loads((folder / "expected.json").read_text())["tables"]
    assert set(expected) == {"parts.csv", "new.csv"}
    for table, said in expected.items():
        found: Any = answers(folder / "model.zip", folder / table)
        wrong = [key for key, value in said.items() if not alike(value, found.get(key))]
        assert wrong == [], table
