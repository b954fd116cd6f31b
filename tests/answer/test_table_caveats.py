"""What is not as it was in training is said, by column and share, and a script can see it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.answer.table_caveats import find_columns, unusual
from modalloy.errors import JobError, TableError
from modalloy.job.job_file import load_job
from modalloy.runs.run import Run
from modalloy.table.table import Table, open_table

ROWS = 240


def parts(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """The fault hangs on the load, the recipe and the guard together."""
    draw = np.random.default_rng(seed)
    load = draw.normal(50, 10, rows).round(2)
    recipe = draw.choice(["A1", "B2", "C3"], rows)
    guard = draw.choice(["open", "shut"], rows)
    bad = (load > 50) ^ (guard == "open")
    frame = pd.DataFrame(
        {"load": load, "recipe": recipe, "guard": guard, "speed": draw.random(rows)}
    )
    frame.loc[draw.random(rows) < 0.04, "speed"] = np.nan
    return frame.assign(
        machine=draw.choice(list("abcdefgh"), rows), fault=np.where(bad, "bad", "ok")
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> Run:
    folder = tmp_path_factory.mktemp("caveats")
    parts().to_csv(folder / "parts.csv", index=False)
    job = {
        "table": str(folder / "parts.csv"),
        "split": {"by": "machine", "test": 0.25, "validation": 0.2},
        "columns": {
            "load": {"type": "number", "bins": 4},
            "speed": {"type": "number", "bins": 4},
            "recipe": {"type": "category"},
            "guard": {"type": "category"},
            "machine": {"type": "group"},
        },
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {"fault": {"type": "classify", "target": "fault"}},
        "train": {"epochs": 3, "precision": "float32"},
    }
    return ma.train(job, out=folder / "run", quiet=True)


def caveats(run: Run, table: Any) -> list[str]:
    return ma.predict(run, table, quiet=True).attrs["caveats"]


def test_rows_like_those_of_training_say_nothing(run: Run, tmp_path: Path) -> None:
    new = parts(seed=1)
    extra = new[["guard", "fault", "recipe", "load", "speed", "machine"]].assign(extra=1)
    for table in (new, new.head(1), new.head(3), extra):
        assert caveats(run, table) == []
    report = ma.evaluate(run, extra, out=tmp_path / "new.html", strict=True, quiet=True)
    assert report.caveats == []
    assert ma.predict(run, new, strict=True, quiet=True)["fault"].isin(["bad", "ok"]).all()


def write_csv(frame: pd.DataFrame, folder: Path) -> Any:
    frame.to_csv(folder / "new.csv", index=False)
    return folder / "new.csv"


def write_sqlite(frame: pd.DataFrame, folder: Path) -> Any:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "new.db")) as base:
        frame.to_sql("parts", base, index=False)
    return f"sqlite:///{folder / 'new.db'}?parts"


def write_parquet(frame: pd.DataFrame, folder: Path) -> Any:
    frame.to_parquet(folder / "new.parquet")
    return folder / "new.parquet"


def write_excel(frame: pd.DataFrame, folder: Path) -> Any:
    frame.to_excel(folder / "new.xlsx", index=False)
    return folder / "new.xlsx"


KINDS = [write_csv, write_sqlite, write_parquet, write_excel, lambda frame, folder: frame]


@pytest.mark.parametrize("write", KINDS, ids=["csv", "sqlite", "parquet", "excel", "frame"])
def test_a_name_that_looks_the_same_is_read_and_said_in_every_kind_of_table(
    run: Run, tmp_path: Path, write: Callable[[pd.DataFrame, Path], Any]
) -> None:
    new = parts(60, seed=1)
    plain = ma.predict(run, new, quiet=True)
    other = new.rename(columns={"load": "Load", "guard": "GUARD "})
    found = ma.predict(run, write(other, tmp_path), quiet=True)
    pd.testing.assert_series_equal(found["fault"], plain["fault"])
    said = "\n".join(found.attrs["caveats"])
    assert "load: read from the column 'Load' of " in said
    assert "guard: read from the column 'GUARD" in said
    assert len(found.attrs["caveats"]) == 2
    assert (found["status.load"] == "ok").all()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            {"load": "load [kN]"},
            "; the table has 'load [kN]': rename it to 'load' if it means the same",
        ),
        ({"load": "laod"}, "; the table has 'laod': rename it to 'load' if it means the same"),
        ({"load": "x"}, "; what the table has besides is 'x'"),
        ({"load": "Load", "speed": "LOAD"}, "; the table has 'Load': rename it to 'load'"),
    ],
)
def test_an_absent_column_is_said_with_the_name_that_is_near(
    run: Run, names: dict[str, str], said: str
) -> None:
    found = ma.predict(run, parts(60, seed=1).rename(columns=names), quiet=True)
    first = next(c for c in found.attrs["caveats"] if c.startswith("load: "))
    assert first.startswith("load: absent in <frame>, so missing in all 60 rows" + said)
    assert (found["status.load"] == "missing").all()


def test_a_column_is_never_taken_from_one_that_has_another_use(run: Run) -> None:
    new = parts(60, seed=1).drop(columns="load")
    [said] = caveats(run, new)
    assert said == "load: absent in <frame>, so missing in all 60 rows"
    assert caveats(run, new.assign(Fault=1, speeds=2))[0].endswith("is 'Fault', 'speeds'")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"recipe": lambda d: d["recipe"] + ".0"},
            "recipe: 60 of 60 cells are names that training never saw (e.g. '",
        ),
        (
            {"recipe": lambda d: d["recipe"].where(d.index >= 24, "Z")},
            "recipe: 24 of 60 cells are names that training never saw (e.g. 'Z')",
        ),
        (
            {"load": lambda d: d["load"].astype(str) + " kN"},
            "load: 60 of 60 cells cannot be read (e.g. '",
        ),
        (
            {"load": lambda d: d["load"].astype(object).where(d.index != 7, "broken")},
            "load: 1 of 60 cells cannot be read (e.g. 'broken' is no number); in training none was",
        ),
        (
            {"load": lambda d: d["load"].where(d.index != 3, np.inf)},
            "load: 1 of 60 cells cannot be read (e.g. inf is no finite number)",
        ),
        ({"load": lambda d: None}, "load: 60 of 60 cells are empty; in training none was"),
        (
            {"speed": lambda d: d["speed"].where(d.index >= 36)},
            " of 60 cells are empty; in training ",
        ),
    ],
)
def test_cells_that_are_worse_than_in_training_are_said_by_share(
    run: Run, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    new = parts(60, seed=1).assign(**change)
    [caveat] = caveats(run, new)
    assert said in caveat
    report = ma.evaluate(run, new, out=tmp_path / "page.html", quiet=True)
    assert report.caveats == [caveat]
    assert caveat in [f["text"] for f in report.findings]
    assert caveat.replace("'", "&#x27;") in (tmp_path / "page.html").read_text()


def test_a_share_that_is_usual_says_nothing(run: Run) -> None:
    usual = run.notes["cells"]["speed"]
    assert usual["rows"] > 100
    assert 0 < usual["missing"] < 0.1 * usual["rows"]
    new = parts(60, seed=1)
    assert caveats(run, new.assign(speed=new["speed"].where(new.index != 5))) == []
    assert caveats(run, new.assign(speed=new["speed"].where(new.index >= 36)))[0].startswith(
        "speed"
    )


@pytest.mark.parametrize(
    ("odd", "rows", "usual", "said"),
    [
        (1, 1, {"rows": 1000, "missing": 0}, True),  # never empty among a thousand, now it is
        (1, 1, {"rows": 50, "missing": 0}, False),  # fifty rows do not say how rare it is
        (1, 1, {"rows": 1000, "missing": 20}, False),
        (60, 60, {"rows": 1000, "missing": 20}, True),
        (60, 60, {"rows": 1000, "missing": 1000}, False),
        (36, 60, {"rows": 200, "missing": 4}, True),
        (5, 60, {"rows": 200, "missing": 4}, False),
        (70, 1000, {"rows": 1000, "missing": 20}, False),  # surely more, but little
        (130, 1000, {"rows": 1000, "missing": 20}, True),
        (59, 60, None, True),  # an old run says only what can be said
        (20, 60, None, False),
        (1, 1, None, False),
    ],
)
def test_what_is_more_than_usual(odd: int, rows: int, usual: Any, said: bool) -> None:
    assert unusual("missing", odd, rows, usual) is said


@pytest.mark.parametrize("usual", [None, {"rows": 9, "missing": 0}, {"rows": 9, "unreadable": 0}])
def test_one_unreadable_cell_is_said_where_training_had_none(usual: Any) -> None:
    assert unusual("unreadable", 1, 1000, usual)
    assert not unusual("unreadable", 1, 1000, {"rows": 1000, "unreadable": 5})


def test_true_answers_that_no_answer_can_be_are_said(run: Run, tmp_path: Path) -> None:
    new = parts(60, seed=1)
    wrong = new.assign(fault=new["fault"].map({"bad": "BAD", "ok": "ok"}))
    report = ma.evaluate(run, wrong, out=tmp_path / "a.html", quiet=True)
    count = (new["fault"] == "bad").sum()
    assert report.caveats == [
        f"fault: {count} of 60 true answers are names that training never saw (e.g. 'BAD'), which "
        "no answer can be"
    ]
    renamed = new.rename(columns={"fault": "Fault", "machine": "site"})
    report = ma.evaluate(run, renamed, out=tmp_path / "b.html", quiet=True)
    assert report.caveats[0].startswith("fault: read from the column 'Fault' of <frame>")
    assert report.caveats[1].startswith("machine: absent in <frame>, so missing in all 60 rows")
    assert report.tasks["fault"]["accuracy"] == pytest.approx(
        ma.evaluate(run, new, out=tmp_path / "c.html", quiet=True).tasks["fault"]["accuracy"]
    )
    with pytest.raises(TableError, match=r"fault: absent in <frame>.*'fault code': rename it"):
        ma.evaluate(run, new.rename(columns={"fault": "fault code"}), quiet=True)


def test_strict_raises_after_the_answers_are_written(run: Run, tmp_path: Path) -> None:
    new = parts(60, seed=1).drop(columns="load").assign(recipe="Z")
    with pytest.raises(TableError) as raised:
        ma.predict(run, new, out=tmp_path / "a.csv", strict=True, quiet=True)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["load", "recipe"]
    assert len(pd.read_csv(tmp_path / "a.csv")) == 60
    with pytest.raises(TableError, match="load: absent"):
        ma.evaluate(run, new, out=tmp_path / "a.html", strict=True, quiet=True)
    assert "load: absent" in (tmp_path / "a.html").read_text()


def test_the_command_says_it_on_stderr_and_by_its_status(run: Run, tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    parts(60, seed=1).rename(columns={"load": "load [kN]"}).to_csv(new, index=False)
    command = [sys.executable, "-m", "modalloy", "predict", str(run.path), str(new)]
    command += ["-o", str(tmp_path / "a.csv"), "--strict"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        "caveat: load: absent in new.csv, so missing in all 60 rows; the table has 'load [kN]': "
        "rename it to 'load' if it means the same."
    )
    assert "Traceback" not in done.stderr
    assert len(pd.read_csv(tmp_path / "a.csv")) == 60


def test_an_old_run_without_counts_says_what_can_be_said(run: Run) -> None:
    old = Run(run.path, run.job, run.readers, run.targets, run.trunks, {})
    new = parts(60, seed=1)
    assert caveats(old, new) == []
    assert caveats(old, new.assign(recipe="Z", load=np.nan)) == [
        "load: 60 of 60 cells are empty",
        "recipe: 60 of 60 cells are names that training never saw (e.g. 'Z')",
    ]


def test_no_column_of_the_model_at_all_is_refused(run: Run) -> None:
    with pytest.raises(TableError, match=r"none of the columns .*: load, .* It has x, fault\."):
        ma.predict(run, parts(9)[["load", "fault"]].rename(columns={"load": "x"}), quiet=True)
    assert (
        len(ma.predict(run, parts(9)[["load"]].rename(columns={"load": "LOAD"}), quiet=True)) == 9
    )


def test_a_job_asks_about_a_near_name(run: Run) -> None:
    for name in ("Load", " load", "load [kN]"):
        table = parts(60).rename(columns={"load": name})
        with pytest.raises(JobError, match=r"has no column 'load'\. Did you mean '") as raised:
            ma.check(run.job, table=table)
        assert f"Did you mean '{name}'?" in str(raised.value)


def test_the_runs_own_table_may_change_the_look_of_its_headings(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    parts().rename(columns={"load": "LOAD"}).to_csv(path, index=False)
    moved = load_job(run.job, table=path)
    again = Run(run.path, moved, run.readers, run.targets, run.trunks, run.notes)
    report = ma.evaluate(again, out=tmp_path / "own.html", quiet=True)
    assert report.caveats[0].startswith("load: read from the column 'LOAD' of parts.csv")


def test_every_column_of_an_input_is_looked_for(run: Run) -> None:
    job = load_job(
        {
            "table": "x.csv",
            "split": {"random": "stratified"},
            "columns": {
                "shake": {"type": "series", "from": ["ax", "ay"], "rate_hz": 100, "rpm": "turns"},
                "past": {
                    "type": "series",
                    "from": ["load"],
                    "history": {"by": ["machine"], "order": "day", "rows": 4},
                },
                "taken": {"type": "time", "since": "ordered"},
            },
            "tasks": {"y": {"type": "classify", "target": "y"}},
        }
    )
    table = open_table(pd.DataFrame({"ax": [1.0], "AY": [1.0], "taken": ["2024-01-01"]}))
    found, said = find_columns(job, table, answers=False, decimal=".")
    assert found.columns == ["ax", "ay", "taken"]
    assert [f"{f.where}: {f.what.split(';')[0]}" for f in said] == [
        "ay: read from the column 'AY' of <frame>, whose name differs in capitals, blanks or "
        "invisible characters only",
        "shake: its column 'turns' is absent in <frame>",
        "past: its column 'load' is absent in <frame>",
        "past: its column 'machine' is absent in <frame>",
        "past: its column 'day' is absent in <frame>",
        "taken: its column 'ordered' is absent in <frame>",
    ]


def test_a_renamed_table_holds_the_same_rows(tmp_path: Path) -> None:
    import pickle

    parts().to_parquet(tmp_path / "a.parquet")
    for above in (256.0, 0.0):  # in memory, and laid out on disk
        table: Table = open_table(tmp_path / "a.parquet", spool_above_mb=above)
        expected = table.cells("load")
        other = table.renamed({"load": "force"})
        held = pickle.loads(pickle.dumps(other._held))
        del table
        assert other.columns == ["force", "recipe", "guard", "speed", "machine", "fault"]
        assert other.cells("force") == expected
        assert other.numbers("force", np.array([3, 1])).tolist() == [expected[3], expected[1]]
        assert other.select(np.arange(4)).cells("force") == expected[:4]
        assert held.schema.names == other.columns
        with pytest.raises(TableError, match="no column 'load'"):
            other.cells("load")
