"""`init` on rows that `simulate` wrote: columns of its own are no inputs, numbers have units."""

import json
from pathlib import Path

import pytest

import modalloy as ma
from modalloy.infer.infer import infer
from modalloy.infer.simulated_rows import told_beside
from modalloy.table.open_table import open_table
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


@pytest.mark.parametrize("text", ["{", "[]", '{"columns": {"run": {"is": "record"}}}'])
def test_another_file_of_that_name_tells_nothing(text: str, rows: Path, tmp_path: Path) -> None:
    copy = tmp_path / "rows.parquet"
    copy.write_bytes(rows.read_bytes())
    assert told_beside(open_table(copy)) == {}
    copy.with_suffix(".json").write_text(text)
    assert told_beside(open_table(copy)) == {}
    said = json.loads(rows.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps(said))
    assert told_beside(open_table(copy))["run"] == {"is": "record"}
