import json
from pathlib import Path

import pytest

from modalloy.cells.cells import Cells
from modalloy.job.config import Series
from modalloy.readers.series import SeriesReader

BODY = "".join(f"{i},{i * 7 % 10}\n" for i in range(30))


def cells(path: Path, *names: str) -> Cells:
    return Cells({"s": list(names), "t": list(names)}, folder=path)


@pytest.mark.parametrize("options", [Series(), Series.model_validate({"channels": ["s", "t"]})])
def test_files_parted_otherwise_than_those_of_training_are_told(
    tmp_path: Path, options: Series
) -> None:
    (tmp_path / "a.csv").write_text(BODY)
    (tmp_path / "b.csv").write_text(BODY.replace(",", ";"))
    (tmp_path / "c.csv").write_text("0,05\n1,25\n2,5\n")
    reader = SeriesReader.fit("s", options, cells(tmp_path, "a.csv#0", "a.csv#0"))
    names = ("a.csv#0", "b.csv#0", "c.csv#0")
    same, semicolons, alone = reader.read(cells(tmp_path, *names)).status
    assert same == "ok"
    assert "columns are parted by ';', those of training by ','" in semicolons
    assert semicolons.startswith("noted: ")
    assert "columns are parted by nothing, those of training by ','" in alone


def test_a_cut_file_is_read_as_the_others_and_noted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BODY)
    (tmp_path / "cut.csv").write_text(BODY + "30")
    (tmp_path / "named.csv").write_text("a,b\n" + BODY)
    (tmp_path / "named_cut.csv").write_text("a,b\n" + BODY + "30")
    reader = SeriesReader.fit("s", Series(), cells(tmp_path, "a.csv#0"))
    assert reader.collect(cells(tmp_path, "cut.csv#0"), 0).tolist() == [list(range(31))]
    (status,) = reader.read(cells(tmp_path, "cut.csv#0")).status
    assert status == "noted: line 31 ends after 1 of 2 columns: the rest is missing"
    reader = SeriesReader.fit("s", Series(), cells(tmp_path, "named.csv"))
    (status,) = reader.read(cells(tmp_path, "named_cut.csv")).status
    assert status == "noted: line 32 ends after 1 of 2 columns: the rest is missing"


def test_a_run_that_knows_no_separator_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BODY)
    (tmp_path / "b.csv").write_text(BODY.replace(",", ";"))
    reader = SeriesReader.fit("s", Series(), cells(tmp_path, "a.csv"))
    state = json.loads(json.dumps(reader.state()))
    assert SeriesReader.from_state(state) == reader
    del state["parted"]
    old = SeriesReader.from_state(state)
    assert old.read(cells(tmp_path, "b.csv")).status == ["ok"]
