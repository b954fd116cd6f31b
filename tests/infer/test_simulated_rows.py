"""`init` on rows that `simulate` wrote: columns of its own are no inputs, numbers have units."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import modalloy as ma
from modalloy.checks.check import check
from modalloy.infer.infer import infer
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.table.twin_columns import KEY, twin_columns
from toy_twins import write_twin


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    found = ma.simulate(
        write_twin(folder), out=folder / "rows.parquet", runs=80, show_hidden=True, workers=1,
        quiet=True,
    )  # fmt: skip
    return found.path


def test_a_job_is_written_that_reads_what_a_plant_has(rows: Path) -> None:
    draft = infer(open_table(rows), ["sag"])
    types = {name: guess.type for name, guess in draft.columns.items()}
    assert {name for name, kind in types.items() if kind != "ignore"} == {
        "width", "load", "teeth", "material", "area", "note", "trace",
    }  # fmt: skip
    assert draft.columns["seconds"].reason == "tells how the run of a simulator went"
    assert draft.columns["mass"].reason == "told by the same run as sag"
    assert "which no plant sees" in draft.columns["hidden_wear"].reason
    assert draft.columns["width"].options["unit"] == "mm"
    assert draft.tasks["sag"].options["unit"] == "mm"
    assert ma.load_job(draft.job(str(rows))).tasks["sag"].target == "sag"


def test_several_targets_are_all_answered(rows: Path) -> None:
    draft = infer(open_table(rows), ["sag", "grade"])
    assert draft.tasks["grade"].type == "classify"
    assert draft.columns["mass"].reason == "told by the same run as sag, grade"


def test_rows_that_were_moved_alone_say_what_they_are(rows: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(rows.read_bytes())
    here, there = infer(open_table(rows), ["mass"]), infer(open_table(moved), ["mass"])
    assert {n: g.type for n, g in there.columns.items()} == {
        n: g.type if n != "trace" else "ignore" for n, g in here.columns.items()
    }  # the series is a file that stayed behind
    assert there.columns["seed"].reason == "tells how the run of a simulator went"
    folder = tmp_path / "of-files"
    folder.mkdir()
    moved.rename(folder / "part-0.parquet")
    assert twin_columns(open_table(folder))["run"] == {"is": "record"}


@pytest.mark.parametrize("text", ["{", "[]", '{"columns": {"run": {"is": "record"}}}'])
def test_another_file_of_that_name_tells_nothing(text: str, rows: Path, tmp_path: Path) -> None:
    copy = tmp_path / "rows.parquet"
    pd.read_parquet(rows).to_parquet(copy)  # which drops what the file said of itself
    assert twin_columns(open_table(copy)) == {}
    copy.with_suffix(".json").write_text(text)
    assert twin_columns(open_table(copy)) == {}
    said = json.loads(rows.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps(said))
    assert twin_columns(open_table(copy))["run"] == {"is": "record"}


def test_a_variable_that_nearly_settles_an_output_is_a_cause_and_no_leak(tmp_path: Path) -> None:
    """And its name, which looks like that of a lot or of the target, says nothing against it."""
    draw = np.random.default_rng(0)
    x, z = draw.random(200), draw.random(200)
    lot, sag = draw.integers(0, 9, 200), x**3 + 1e-4 * z
    frame = pd.DataFrame({"sag_limit": x, "lot": lot, "z": z, "sag": sag})
    kinds = {"sag_limit": "continuous", "lot": "integer", "z": "continuous"}
    about = {n: {"is": "variable", "type": kind, "unit": None} for n, kind in kinds.items()}
    about["sag"] = {"is": "output", "type": "number", "unit": "mm"}
    said = {KEY: json.dumps({"fingerprint": "0", "columns": about}).encode()}
    for name, metadata in (("twin", said), ("plant", None)):
        table = pa.Table.from_pandas(frame).replace_schema_metadata(metadata)
        pq.write_table(table, tmp_path / f"{name}.parquet")
    of_twin, of_plant = (open_table(tmp_path / f"{n}.parquet") for n in ("twin", "plant"))
    types = {n: g.type for n, g in infer(of_twin, ["sag"]).columns.items()}
    assert types == dict.fromkeys(("sag_limit", "lot", "z"), "number")
    assert infer(of_plant, ["sag"]).columns["sag_limit"].type == "ignore"
    draft = infer(of_twin, ["sag"])
    found = {}
    for table in (of_twin, of_plant):
        job = ma.load_job(draft.job(table.source))
        told = check(job, table, split_job(table, job)).findings
        found[table.source] = {(f.where, f.level) for f in told if f.where in kinds}
    assert found[of_twin.source] == set()
    named = {("sag_limit", "leak"), ("sag_limit", "warning"), ("lot", "note")}
    assert found[of_plant.source] == named
