"""What plant rows are read as, and a sentence for each that a twin cannot be compared with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.errors import TwinError
from modalloy.twin.calibration.plant_columns import PlantColumns
from modalloy.twin.calibration.plant_rows import read_plant_rows
from modalloy.twin.twin import Twin
from modalloy.twin.twin_file import load_twin
from toy_twins import write_twin


@pytest.fixture
def plate(tmp_path: Path) -> Twin:
    return load_twin(write_twin(tmp_path))


def frame(**changes: Any) -> pd.DataFrame:
    cells = {
        "width": [10.0, 20, 30, 40, 15, 25],
        "load": [1.0, 10, 100, 50, 5, 2],
        "teeth": [3, 4, 5, 6, 8, 9],
        "material": ["steel", "brass", "steel", "brass", "steel", "brass"],
        "sag": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    }
    return pd.DataFrame({k: v for k, v in (cells | changes).items() if v is not None})


def test_rows_are_read_with_their_settings_and_outputs(plate: Twin) -> None:
    found = read_plant_rows(plate, frame(mass=[1.0, np.nan, 3, 4, 5, 6]))
    assert found.outputs == ("mass", "sag")
    assert found.designs[1] == pytest.approx(
        {"width": 20, "load": 10, "teeth": 4, "material": "brass", "area": 400}
    )
    assert np.isnan(found.y_NO).tolist()[1] == [True, False]
    assert found.u_ND[0] == pytest.approx([0, 0, 0.5 / 7, 1, 0])
    assert found.part_N.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.notes == ()


def test_columns_settings_and_parts_are_named(plate: Twin) -> None:
    rows = frame(load=None, sag=None, Durchhang=[1, 2, 3, 4, 5, 6], part=["a", "b", "a", "", 7, 7])
    names = PlantColumns({"Durchhang": "sag"}, {"load": "10"}, "part")
    found = read_plant_rows(plate, rows, names=names)
    assert found.y_NO[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert [row["load"] for row in found.designs] == pytest.approx([10.0] * 6)
    assert found.part_N.tolist() == [0, 1, 0, 2, 3, 3]


def test_rows_without_a_setting_or_any_output_are_left_out(plate: Twin) -> None:
    rows = frame(
        width=[10.0, np.nan, 30, 40, 15, 25],
        material=["steel", "brass", "", "brass", "steel", "brass"],
        sag=[0.1, 0.2, 0.3, np.nan, 0.5, 0.6],
        status=["ok", "ok", "ok", "ok", "failed", "ok"],
    )
    found = read_plant_rows(plate, rows)
    assert found.row_N.tolist() == [0, 5]
    assert found.notes == (
        "1 of 6 rows are left out: their run has not succeeded.",
        "1 of 6 rows are left out: their cell of 'width' is empty.",
        "1 of 6 rows are left out: their cell of 'material' is empty.",
        "1 of 6 rows are left out: no output was measured.",
    )


def test_of_more_rows_whole_parts_are_drawn(plate: Twin) -> None:
    rows = frame(part=["a", "b", "c", "a", "b", "c"])
    names = PlantColumns(part="part")
    kept = [
        tuple(read_plant_rows(plate, rows, names=names, most=4, seed=seed).row_N)
        for seed in range(8)
    ]
    assert set(kept) == {(0, 1, 3, 4), (0, 2, 3, 5), (1, 2, 4, 5)}
    found = read_plant_rows(plate, rows, names=names, most=4)
    assert found.notes == ("4 of 6 rows are used, drawn by parts.",)
    assert found.parts == 2


@pytest.mark.parametrize(
    ("changes", "names", "said"),
    [
        (
            {"load": None, "Load": [1.0] * 6},
            PlantColumns(),
            "no column 'load', which the twin sets. Did you mean 'Load'? Say --columns PLANT=load",
        ),
        (
            {"sag": None, "Sagging": [1.0] * 6},
            PlantColumns(),
            "no output in common: the twin's numbers are mass, sag, and the columns left are "
            "Sagging. Say --columns PLANT=OUTPUT.",
        ),
        (
            {"width": [10.0, 50, 60, 40, 15, 25]},
            PlantColumns(),
            "column 'width', row 1: must lie from 10 to 40. Got 50. 1 more rows are like that.\n"
            "Widen the twin's bounds",
        ),
        ({"teeth": [3, 4, 5, 6, 8, 9.5]}, PlantColumns(), "row 5: must be a whole number"),
        ({"material": ["wood"] * 6}, PlantColumns(), "must be one of steel, brass. Got 'wood'."),
        ({"width": ["wide"] * 6}, PlantColumns(), "column 'width', row 0: 'wide' is no number"),
        ({}, PlantColumns({"Sagg": "sag"}), "there is no column 'Sagg'. Did you mean 'sag'?"),
        ({}, PlantColumns({"sag": "sagg"}), "'sagg' is no variable and no number. Did you mean"),
        ({}, PlantColumns({"sag": "grade"}), "'grade' is no variable and no number."),
        ({}, PlantColumns({"sag": "load", "teeth": "load"}), "sag and teeth are both 'load'"),
        ({}, PlantColumns(settings={"weight": 1}), "--set weight: is no variable that is free."),
        ({"load": None}, PlantColumns(settings={"load": 1000}), "--set load must lie from 1 to"),
        ({}, PlantColumns(part="prat"), "--part prat: there is no column 'prat'."),
    ],
)
def test_what_does_not_go_together_gets_a_sentence(
    plate: Twin, changes: dict[str, Any], names: PlantColumns, said: str
) -> None:
    with pytest.raises((TwinError, Exception)) as raised:
        read_plant_rows(plate, frame(**changes), names=names)
    assert type(raised.value).__module__ == "modalloy.errors"
    assert said in str(raised.value)


def test_all_faults_of_columns_are_told_at_once(plate: Twin) -> None:
    with pytest.raises(TwinError) as raised:
        read_plant_rows(plate, frame(load=None, teeth=None, sag=None))
    assert len(str(raised.value).splitlines()) == 3


def test_fewer_rows_than_hidden_parameters_and_no_hidden_parameter(plate: Twin) -> None:
    more = {"wear": plate.hidden["wear"], "age": plate.hidden["wear"]}
    with pytest.raises(TwinError, match="1 usable rows are fewer than the twin's 2 hidden"):
        read_plant_rows(plate.model_copy(update={"hidden": more}), frame()[:1])
    with pytest.raises(TwinError, match="plate: has no hidden parameters"):
        read_plant_rows(plate.model_copy(update={"hidden": {}}), frame())
