"""What people call the rows to learn from, to stop by, to calibrate with and to test on."""

from collections.abc import Iterable
from typing import Any

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "calibration": "calibration",
    "calib": "calibration",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "hold-out": "test",
    "hold_out": "test",
    "heldout": "test",
    "held-out": "test",
    "held_out": "test",
}  # spellings of the four parts of a split
EVAL = {"eval", "evaluation"}  # the validation rows where others are called test, else the test


def parts_named(names: Iterable[Any]) -> list[str | None]:
    """The part of a split that each name means, None where it means none."""
    said = [str(n).strip().lower() for n in names]
    parts = [PARTS.get(n) for n in said]
    known = "validation" if "test" in parts else "test"
    return [known if n in EVAL else p for n, p in zip(said, parts, strict=True)]
