"""Whole numbers beyond 2**53 are names or amounts, never a traceback and never merged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.job import config
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

FIRST = 2**53 + 1  # with its neighbour the same float64
N = 48


def frame(of: int = FIRST, step: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [of + step * (i % 12) for i in range(N)],
            "load": [i % 7 / 2 for i in range(N)],
            "fault": ["ok" if i % 3 else "crack" for i in range(N)],
        }
    )


def stored(frame: pd.DataFrame, kind: str, folder: Path) -> Table:
    path = folder / f"t.{kind}"
    match kind:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case "db":
            with closing(sqlite3.connect(path)) as base:
                frame.to_sql("t", base, index=False)
            return open_table(f"sqlite:///{path}?t")
        case "xlsx":
            frame.assign(id=frame["id"].astype(str)).to_excel(path, index=False)
        case _:
            return open_table(frame)
    return open_table(path)


@pytest.mark.parametrize("kind", ["csv", "parquet", "db", "xlsx", "frame"])
@pytest.mark.parametrize("of", [FIRST, 1740000000123456789])
def test_large_numbers_are_told_apart(kind: str, of: int, tmp_path: Path) -> None:
    table = stored(frame(of), kind, tmp_path)
    assert len(np.unique(table.codes("id")[0])) == 12
    cells = table.take(["id"], np.arange(N))
    reader = CategoryReader.fit("id", config.Category(), cells)
    assert reader.names == tuple(str(of + i) for i in range(12))
    assert reader.read(cells).status == ["ok"] * N
    number = NumberReader.fit("id", config.Number(), cells)
    assert number.read(cells).status == ["ok"] * N
    assert np.isfinite(table.numbers("id")).all()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_ids_of_twenty_digits_are_names(kind: str, tmp_path: Path) -> None:
    table = stored(frame(98765432109876500000, 5000), kind, tmp_path)
    assert table.kind("id") == "text"
    codes, names = table.codes("id")
    assert len(names) == len(np.unique(codes)) == 12
    assert names[1] == "98765432109876505000"


@pytest.mark.parametrize("kind", ["csv", "parquet", "db", "frame"])
def test_no_verb_stumbles_over_them(kind: str, tmp_path: Path) -> None:
    table = stored(frame(2**63 - 100), kind, tmp_path)
    draft = ma.init(table, target="fault")
    assert "load: {type: number}" in draft
    (tmp_path / "job.yaml").write_text(draft)
    found = ma.check(tmp_path / "job.yaml", table=table)
    assert "every cell holds" not in found.text()
    assert found.estimate.minutes > 0
