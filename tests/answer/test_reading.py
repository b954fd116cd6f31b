"""A run answers the same cells alike, wherever they come from and whatever stands beside them."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.runs.run import Run

N = 160


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """A guard and a recipe that tell the fault, and pieces with thousands."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        guard, recipe = draw.random() < 0.5, draw.randint(1, 4)
        pieces = draw.randint(300, 4000)
        bad = guard != (recipe == 4)
        found.append(
            {
                "guard": "true" if guard else "false",
                "recipe": f"{recipe}.0",
                "bar": f"{draw.uniform(2, 9):.2f}",
                "pieces": pieces,
                "fault": "1.10" if bad else "1.1",
            }
        )
    return found


def german(found: list[dict[str, Any]], path: Path) -> Path:
    frame = pd.DataFrame(found)
    frame["bar"] = frame["bar"].str.replace(".", ",")
    frame["recipe"] = frame["recipe"].str.replace(".", ",")
    frame["pieces"] = [f"{p:,}".replace(",", ".") for p in frame["pieces"]]
    frame.to_csv(path, index=False, sep=";")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> Run:
    folder = tmp_path_factory.mktemp("reading")
    pd.DataFrame(rows(N, 1)).to_csv(folder / "train.csv", index=False)
    job = {
        "table": str(folder / "train.csv"),
        "split": {"random": "stratified"},
        "columns": {
            "guard": {"type": "category"},
            "recipe": {"type": "category"},
            "bar": {"type": "number"},
            "pieces": {"type": "number"},
        },
        "tasks": {"fault": {"type": "classify", "target": "fault"}},
        "train": {"epochs": 30, "batch": 8, "precision": "float32", "lr": 3e-3},
    }
    return ma.train(job, out=folder / "run", quiet=True)


def in_other_tables(found: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """The same cells in other kinds of table, as text and as what pandas makes of a CSV file."""
    texts = pd.DataFrame(found).astype(str)
    texts.to_csv(folder / "t.csv", index=False)
    typed = pd.read_csv(folder / "t.csv", dtype={"fault": str})
    odd = [*found, {"guard": "sensor off", "recipe": "new", "bar": "n.d.", "pieces": "many"}]
    pd.DataFrame(odd).to_csv(folder / "odd.csv", index=False)
    pd.DataFrame(odd[::-1]).to_csv(folder / "odd_first.csv", index=False)
    tables: dict[str, Any] = {"csv": folder / "t.csv", "odd": folder / "odd.csv"}
    for name, frame in {"text": texts, "typed": typed}.items():
        tables[name] = frame
        frame.to_excel(folder / f"{name}.xlsx", index=False)
        frame.to_parquet(folder / f"{name}.parquet")
        with closing(sqlite3.connect(folder / f"{name}.db")) as base:
            frame.to_sql("t", base, index=False)
        tables |= {f"{name} {e}": folder / f"{name}.{e}" for e in ("xlsx", "parquet")}
        tables[f"{name} sqlite"] = f"sqlite:///{folder / f'{name}.db'}?t"
    return tables | {"german": german(found, folder / "german.csv")}


def shares(answers: pd.DataFrame) -> np.ndarray:
    return answers.filter(like="fault.p[").to_numpy()


def test_every_kind_of_table_has_the_same_answers(run: Run, tmp_path: Path) -> None:
    found = rows(30, 2)
    wanted = ma.predict(run, pd.DataFrame(found), quiet=True)
    assert (wanted["fault"] == pd.DataFrame(found)["fault"]).mean() > 0.7
    for name, table in in_other_tables(found, tmp_path).items():
        answers = ma.predict(run, table, quiet=True).head(30)
        assert np.allclose(shares(answers), shares(wanted), atol=1e-6), name
        assert set(answers.filter(like="status.").to_numpy().ravel()) == {"ok"}, name
        alone = ma.predict(run, table, rows=slice(4, 5), quiet=True)
        assert np.allclose(shares(alone), shares(wanted)[4:5], atol=1e-6), name
    first = ma.predict(run, tmp_path / "odd_first.csv", quiet=True)
    assert np.allclose(shares(first)[:0:-1], shares(wanted), atol=1e-6)
    assert first["status.guard"][0] == "unknown: sensor off"
    assert first["status.pieces"][0] == "unreadable: 'many' is no number"
    assert first["status.bar"][0] == "missing"


def test_every_kind_of_table_has_the_same_figures(run: Run, tmp_path: Path) -> None:
    tables = in_other_tables(rows(40, 3), tmp_path)
    figures = [
        ma.evaluate(run, tables[name], out=tmp_path / "e.html", quiet=True).tasks["fault"]
        for name in ("csv", "text sqlite", "typed xlsx", "typed parquet", "german")
    ]
    assert figures[0]["accuracy"] > 0.8
    assert all(f["accuracy"] == figures[0]["accuracy"] for f in figures)


def test_a_run_remembers_the_decimal_sign_of_its_table(tmp_path: Path) -> None:
    german(rows(N, 1), tmp_path / "train.csv")
    draft = ma.init(tmp_path / "train.csv", target="fault")
    assert "# Read so: decimals are written as in" in draft
    (tmp_path / "job.yaml").write_text(draft.replace("epochs: auto", "epochs: 1"))
    run = ma.load_run(ma.train(tmp_path / "job.yaml", out=tmp_path / "run", quiet=True).path)
    assert run.decimal == ","
    one = {"guard": "true", "recipe": "4", "bar": "5", "pieces": 3302, "fault": ""}
    (tmp_path / "one.csv").write_text("guard;recipe;bar;pieces\ntrue;4;5;3.302\n")
    silent = ma.predict(run, tmp_path / "one.csv", quiet=True)
    wanted = ma.predict(run, pd.DataFrame([one]), quiet=True)
    assert np.array_equal(shares(silent), shares(wanted))
    told = ma.predict(run, tmp_path / "train.csv", quiet=True)
    assert "decimals are written as in" in told.attrs["notes"][0]
