"""Twin files: read from anywhere, every fault told at once with its line."""

from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from modalloy.errors import TwinError
from modalloy.job.lined_yaml import read_page
from modalloy.twin.outputs import CategoryOutput, NumberOutput
from modalloy.twin.twin import CommandSimulator, FmuSimulator, PythonSimulator, Twin
from modalloy.twin.twin_file import load_twin
from modalloy.twin.variables import Categorical, Continuous, Hidden, Linked
from toy_twins import TWIN, write_twin


def test_a_twin_is_read_from_its_file_with_its_paths_from_the_root(tmp_path: Path) -> None:
    twin = load_twin(write_twin(tmp_path))
    assert twin.name == "plate"
    assert twin.variables["width"] == Continuous(low=10.0, high=40.0, unit="mm")
    assert isinstance(twin.variables["load"], Continuous)
    assert twin.variables["load"].log
    assert twin.variables["material"] == Categorical(choices=("steel", "brass"))
    area = twin.variables["area"]
    assert isinstance(area, Linked)
    assert area.formula.names == ("width",)
    assert twin.outputs["mass"] == NumberOutput(unit="g")
    assert twin.outputs["grade"] == CategoryOutput(labels=("good", "bad"))
    assert twin.hidden["wear"].usual == 0.25
    assert Hidden(low=1.0, high=2.0).usual == 1.5
    assert twin.limits.seconds == 20
    assert twin.seed == 3
    assert isinstance(twin.simulator, PythonSimulator)
    assert twin.simulator.use == f"{tmp_path / 'plate.py'}:simulate"


def test_text_mappings_and_twins_are_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = ma.load_twin(write_twin(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_twin(TWIN) == twin
    assert load_twin(read_page(TWIN).data) == twin
    assert load_twin(twin) is twin
    assert load_twin(twin.model_dump(by_alias=True)) == twin


COMMAND = "{type: command, run: [python, plate.py], exchange: files}"


def test_paths_of_commands_and_units_start_at_the_twin(tmp_path: Path) -> None:
    python = '{type: python, use: "plate.py:simulate"}'
    command = load_twin(write_twin(tmp_path, **{python: COMMAND})).simulator
    assert isinstance(command, CommandSimulator)
    assert command.folder == tmp_path
    assert command.run == ("python", "plate.py")
    (tmp_path / "plant.fmu").write_bytes(b"PK")
    fmu = "{type: fmu, file: plant.fmu, stop_time_s: 10, step_s: 0.1, at: mean}"
    unit = load_twin(write_twin(tmp_path, **{python: fmu})).simulator
    assert isinstance(unit, FmuSimulator)
    assert unit.file == tmp_path / "plant.fmu"
    assert (unit.stop_time_s, unit.step_s, unit.at) == (10.0, 0.1, "mean")


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        """\
name: bad
variables:
  no_high: {type: continuous, low: 0.05, unit: m}
  falls: {type: continuous, low: 2, high: 1}
  flat: {type: integer, low: 4, high: 4}
  logs: {type: continuous, low: 0, high: 1, log: true}
  typo: {type: contnuous, low: 0, high: 1}
  a: {type: linked, is: "b * 2"}
  b: {type: linked, is: "a * 2"}
  lost: {type: linked, is: "fals + 1"}
  worded: {type: linked, is: "one_of + 1"}
  peeks: {type: linked, is: "unseen + 1"}
  code: {type: linked, is: "__import__('os')"}
  one_of: {type: categorical, choices: [steel, brass]}
  single: {type: categorical, choices: [steel]}
  twice: {type: ordinal, levels: [1, 2, 1]}
  mixed: {type: ordinal, levels: [1, two]}
hidden:
  unseen: {type: continuous, low: 0, high: 1, default: 4}
  hidden_x: {type: continuous, low: 0, high: 1}
outputs:
  mass: {type: number}
  blank: {type: number, unit: " "}
  falls: {type: image}
  seed: {type: text}
  grade: {type: category, labels: [good], colour: red}
simulator: {type: python, use: "nope.py:simulate"}
limits: {second: 3, retries: -1}
seeds: 4
""",
        encoding="utf-8",
    )
    with pytest.raises(TwinError) as caught:
        load_twin(path)
    told = [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
    parts = [
        "3: variables.no_high.high: is missing; it must be a number.",
        "4: variables.falls: low must be below high. Got low 2 and high 1.",
        "5: variables.flat: low must be below high. Got low 4 and high 4.",
        "6: variables.logs: low must be above 0 with log: true. Got 0.",
        "7: variables.typo: type 'contnuous' is not one of continuous, integer, ordinal, categori",
        "8: variables.a.is: follows from itself: a -> b -> a; take one of these links away.",
        "9: variables.b.is: follows from itself: b -> a -> b; take one of these links away.",
        "10: variables.lost.is: reads 'fals', which is no variable. Did you mean 'falls'?",
        "11: variables.worded.is: reads 'one_of', which holds words; arithmetic needs numbers.",
        "12: variables.peeks.is: reads 'unseen' of hidden; it may read variables alone.",
        "13: variables.code.is: '__import__('os')' is not arithmetic",
        "15: variables.single.choices: needs two choices at least; what has only one never varie",
        "16: variables.twice.levels: lists '1' twice; keep one.",
        "17: variables.mixed.levels: mixes numbers and words; write all levels alike.",
        "19: hidden.unseen: default must lie from low 0 to high 1. Got 4.",
        "20: hidden.hidden_x: must not begin with hidden_, as columns of hidden parameters do",
        "22: outputs.mass.unit: is missing; it must be text. Physical unit",
        '23: outputs.blank.unit: must be a unit such as mm; "1" where the number has none.',
        "24: outputs.falls: is named as one of variables; rename one of them.",
        "25: outputs.seed: is named as a column that every row has",
        "26: outputs.grade.labels: needs two labels at least; what has only one never varies",
        "26: outputs.grade.colour: is not an option of type: category. It takes labels.",
        f"27: simulator.use: there is no file {tmp_path / 'nope.py'}.",
        "28: limits.retries: must be a whole number of at least 0. Got -1.",
        "28: limits.second: is not an option of limits. Did you mean 'seconds'?",
        "29: seeds: is not an option of a twin. Did you mean 'seed'?",
    ]
    assert [line[: len(part)] for line, part in zip(told, parts, strict=True)] == parts


@pytest.mark.parametrize(
    ("simulator", "said"),
    [
        ('{type: python, use: "plat.py:simulate"}', "Did you mean 'plate.py'?"),
        ('{type: python, use: "plate.py"}', "must be FILE.py:FUNCTION or MODULE:FUNCTION."),
        ("{type: python, use: 'no.such:f'}", "module no.such is not installed; a file beside"),
        ("{type: fmu, file: plant.fmu, stop_time_s: 1}", "simulator.file: there is no file"),
        ("{type: fmu, file: p.fmu}", "simulator.stop_time_s: is missing"),
        ("{type: command, run: [no-such-program]}", "there is no program 'no-such-program' on"),
        ("{type: command, run: [python, plat.py]}", "Did you mean 'plate.py'?"),
        ("{type: command, run: []}", "simulator.run"),
        ("{type: command, run: [' ']}", "must begin with a program"),
        ("{type: command, run: [python], folder: nowhere}", "simulator.folder: there is no folder"),
        ("{type: pyton}", "Did you mean 'python'?"),
        ("plate.py", "simulator: must be a group of options"),
    ],
)
def test_a_simulator_that_is_not_there_is_told(simulator: str, said: str, tmp_path: Path) -> None:
    changed = {'{type: python, use: "plate.py:simulate"}': simulator}
    with pytest.raises(TwinError) as caught:
        load_twin(write_twin(tmp_path, **changed))
    assert said in str(caught.value)
    assert f"{tmp_path / 'plate.yaml'}:16: simulator" in str(caught.value)


BARE: dict[str, Any] = {
    "name": "bare",
    "variables": {"x": {"type": "continuous", "low": 0, "high": 1}},
    "outputs": {"y": {"type": "number", "unit": "1"}},
    "simulator": {"type": "python", "use": "math:sqrt"},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"variables": {}}, "twin: variables: needs one at least."),
        ({"outputs": {}}, "twin: outputs: needs one at least."),
        ({"variables": 3}, "twin: variables: must be a group of options"),
        ({"variables": {" ": BARE["variables"]["x"]}}, "must have a name that can be read."),
        (
            {"variables": {"y": {"type": "linked", "is": "1 + 1"}}},
            "variables: are all linked; one at least must be free to be set.",
        ),
        ({"name": 4}, "twin: name: must be text. Got 4. Put it in quotes."),
    ],
)
def test_what_lacks_its_parts_is_told(change: dict[str, Any], said: str) -> None:
    assert isinstance(load_twin(BARE), Twin)
    with pytest.raises(TwinError) as caught:
        load_twin(BARE | change)
    assert said in str(caught.value)


def test_files_that_are_no_twin_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "broken.yaml").write_text("name: [\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    for name, said in {
        "empty.yaml": "is empty",
        "broken.yaml": "is not YAML",
        "bytes.yaml": "is not text in UTF-8",
        "large.yaml": "too large",
        "brokn.yaml": "no such file. Did you mean 'broken.yaml'?",
        "brackett": "no such file. Did you mean 'bracket'?",
        "zzz": "no such file. Twins that come with Modalloy: bracket, weld.",
        ".": "is a folder",
    }.items():
        with pytest.raises(TwinError, match=said.replace(".", r"\.").replace("?", r"\?")):
            load_twin(tmp_path / name)
