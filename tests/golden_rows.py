"""The golden bundle and its table, for tests of whatever answers: no network of torch is needed."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).resolve().parent / "golden" / "bundle-1"
BUNDLE = FOLDER / "model.zip"


def golden_rows() -> pd.DataFrame:
    """Its 48 rows, with numbers as numbers."""
    return pd.read_csv(FOLDER / "parts.csv", sep=";")


def golden_answers() -> dict[str, list[Any]]:
    """What it said of them when it was made, by column."""
    return json.loads((FOLDER / "expected.json").read_text())["tables"]["parts.csv"]
