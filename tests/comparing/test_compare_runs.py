"""Runs side by side: the same rows, the house's figures, paired differences, refusals."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy as ma
from conftest import make_job, write_table
from modalloy.cli import app
from modalloy.errors import RunError, TableError
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.bootstrap import paired_intervals
from modalloy.judge.metrics.score import score, tally
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job
from untrained import untrained


class Made(NamedTuple):
    """Two runs over one table, of other columns."""

    table: Path
    plain: Run
    noted: Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("compare")
    table = write_table(folder)
    plain = untrained(folder / "plain", table, steps=6, seconds={"training": 2.5})
    both = {"columns": ("load", "site", "note"), "seed": 1, "steps": 6}
    return Made(table, plain, untrained(folder / "noted", table, **both))


def parts_of(run: Run) -> Parts:
    """Numbers of the rows of each part of a run."""
    return split_job(open_table(run.job.table), run.job)


def table_of(folder: Path, table: Path, change: Any) -> Path:
    """A copy of a table with its media left behind."""
    frame = pd.read_parquet(table)
    path = folder / table.name
    change(frame).to_parquet(path, index=False)
    return path


def test_figures_are_the_houses_and_differences_are_paired(made: Made, tmp_path: Path) -> None:
    found = ma.compare([made.plain.path, made.noted], out=tmp_path / "c.html")
    assert set(found.tasks) == {"fault", "life"}
    answers = {}
    for run in (made.plain, made.noted):
        predictor = ma.Predictor(run)
        loader, _ = predictor.open(open_table(run.job.table), answers=True)
        which = parts_of(run).test
        answers[run.path.name] = predictor.say(loader, which).answers["fault"]
        truth = loader.targets["fault"].truth(loader.cells(["fault_code"], which))
        names = loader.targets["fault"].names
    options = made.plain.job.tasks["fault"]
    for name, answer in answers.items():
        expected = score(options, truth, answer, names)
        told = found.tasks["fault"].figures[name]
        assert {m: told[m] for m in expected} == expected
        low, high = told["interval"]["accuracy"]
        assert low <= told["accuracy"] <= high
    (difference,) = found.tasks["fault"].differences
    assert (difference.first, difference.second) == ("plain", "noted")
    labels = pd.read_parquet(made.table)["machine"].to_numpy()[parts_of(made.plain).test].tolist()
    tallies = {n: tally(options, truth, a, names) for n, a in answers.items()}
    oracle = paired_intervals(tallies["noted"], tallies["plain"], groups=labels)
    assert {m: p.interval for m, p in difference.pairs.items()} == oracle
    for metric, pair in difference.pairs.items():
        assert pair.before == found.tasks["fault"].figures["plain"][metric]
        assert pair.after == found.tasks["fault"].figures["noted"][metric]
    written = json.loads((tmp_path / "c.json").read_text())
    kept = written["tasks"]["fault"]["differences"][0]["pairs"]["log_loss"]
    assert kept["after"] - kept["before"] == pytest.approx(
        written["tasks"]["fault"]["figures"]["noted"]["log_loss"]
        - written["tasks"]["fault"]["figures"]["plain"]["log_loss"]
    )


def test_columns_seconds_and_size_stand_beside_the_figures(made: Made, tmp_path: Path) -> None:
    page = tmp_path / "side.html"
    words = ["compare", str(made.plain.path), str(made.noted.path), "-o", str(page)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = ma.compare([made.plain, made.noted])
    assert [list(side.columns) for side in found.sides] == [
        ["load", "site"],
        ["load", "site", "note"],
    ]
    assert [side.training_s for side in found.sides] == [2.5, None]
    sealed = sum((made.plain.path / part).stat().st_size for part in made.plain.sealed)
    assert found.sides[0].bytes == sealed
    assert "groups of 'machine' anew" in done.stdout
    assert "noted minus plain: " in done.stdout
    few = "Intervals are of only 2 groups of 'machine': the true uncertainty is larger than they"
    assert few in done.stdout
    assert "about one of 20 leaves zero out" in done.stdout
    html = page.read_text()
    for said in ("load, site, note", "2.5 s", "The difference of each two runs", "<td>plain</td>"):
        assert said in html, said
    assert "script" not in html


def test_of_three_runs_each_two_are_compared(made: Made, tmp_path: Path) -> None:
    third = untrained(tmp_path / "third", made.table, seed=2)
    found = ma.compare([made.plain, made.noted, third])
    pairs = [(d.first, d.second) for d in found.tasks["life"].differences]
    assert pairs == [("plain", "noted"), ("plain", "third"), ("noted", "third")]


def test_other_rows_are_asked_unless_one_has_learned_from_them(made: Made, tmp_path: Path) -> None:
    new = pd.read_parquet(made.table).iloc[:30].assign(load=lambda f: f["load"].fillna(7.5) + 0.25)
    old = pd.read_parquet(made.table)
    path = made.table.parent / "new.parquet"
    pd.concat([new, old]).to_parquet(path, index=False)
    found = ma.compare([made.plain, made.noted], table=path)
    assert found.rows == 30 + len(parts_of(made.plain).test)
    assert "that no run has learned from" in found.which
    only = made.table.parent / "only.parquet"
    old.iloc[parts_of(made.plain).train].to_parquet(only, index=False)
    with pytest.raises(TableError, match="no row can be asked"):
        ma.compare([made.plain, made.noted], table=only)
    with pytest.raises(TableError, match="name the Excel file"):
        ma.compare([made.plain, made.noted], sheet="a")


def test_runs_that_cannot_stand_side_by_side_are_refused(made: Made, tmp_path: Path) -> None:
    def other(name: str, table: Path = made.table, **changes: Any) -> Run:
        job = load_job(make_job(table, **{"columns": ("load", "site")}) | changes)
        return untrained(tmp_path / name, table, job=job)

    cells = table_of(tmp_path, made.table, lambda f: f.assign(load=f["load"] + 1.0))
    life = {"type": "regress", "target": "hours_left", "unit": "days"}
    truth = tmp_path / "truth"
    truth.mkdir()
    turned = {"crack": "ok", "ok": "crack"}
    answers = table_of(
        truth, made.table, lambda f: f.assign(fault_code=f["fault_code"].map(turned))
    )
    time = {"time": "taken_at", "test": 0.25, "validation": 0.2}
    site = {"site": {"type": "category"}}
    cases = (
        (other("split", split=time), "were tested on other rows|was tested on"),
        (other("cells", cells), "the cells of .* test rows differ"),
        (other("truth-run", answers), "the answers to 'fault' of"),
        (other("unit", tasks={"life": life}), "another task .*unit is h and days"),
        (other("task", tasks={"x": life}, columns=site), "no task in common"),
    )
    for run, said in cases:
        with pytest.raises(RunError, match=said):
            ma.compare([made.plain, run])
    with pytest.raises(RunError, match="two runs or more"):
        ma.compare([made.plain])
    with pytest.raises(RunError, match="named twice"):
        ma.compare([made.plain, made.plain.path])
    with pytest.raises(RunError, match=r"is written as \.html"):
        ma.compare([made.plain, made.noted], out=tmp_path / "c.txt")


def test_what_flatters_a_run_is_said_first(made: Made, tmp_path: Path) -> None:
    leak = {"level": "leak", "where": "site", "what": "tells the answer"}
    leaky = untrained(tmp_path / "leaky", made.table, findings=[leak])
    fewer = load_job(
        make_job(made.table, columns=("load",), tasks={"life": make_job("t")["tasks"]["life"]})
    )
    found = ma.compare([leaky, untrained(tmp_path / "fewer", made.table, job=fewer)])
    assert list(found.tasks) == ["life"]
    assert "Do not trust the figures of leaky" in found.said[0]
    assert "leaky also answers fault, which not all runs do." in found.said
