"""Fingerprints: the same wherever a twin lies, another where a row could come out otherwise."""

import shutil
import sys
from pathlib import Path

import pytest

from modalloy.errors import TwinError
from modalloy.twin.fingerprint import content, fingerprint
from modalloy.twin.twin_file import load_twin
from toy_twins import write_twin

PYTHON = '{type: python, use: "plate.py:simulate"}'


def test_a_copy_elsewhere_is_the_same_twin(tmp_path: Path) -> None:
    one = fingerprint(load_twin(write_twin(tmp_path / "one")))
    assert one == fingerprint(load_twin(write_twin(tmp_path / "two")))
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")


@pytest.mark.parametrize("change", [("seed: 3", "seed: 4"), ("seconds: 20", "seconds: 30")])
def test_limits_and_seeds_make_no_other_twin(change: tuple[str, str], tmp_path: Path) -> None:
    before = fingerprint(load_twin(write_twin(tmp_path)))
    assert fingerprint(load_twin(write_twin(tmp_path, **dict([change])))) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low: 10", "low: 11"),
        ("log: true, ", ""),
        ("width ** 2", "width ** 3"),
        ("deviation: 0.2", "deviation: 0.3"),
        ("unit: g", "unit: kg"),
        ("[good, bad]", "[bad, good]"),
        ("name: plate", "name: other"),
        (
            "  sag:   {type: number, unit: mm}\n  grade: {type: category, labels: [good, bad]}\n",
            "  grade: {type: category, labels: [good, bad]}\n  sag:   {type: number, unit: mm}\n",
        ),
    ],
)
def test_whatever_rows_depend_on_counts(old: str, new: str, tmp_path: Path) -> None:
    before = fingerprint(load_twin(write_twin(tmp_path)))
    assert fingerprint(load_twin(write_twin(tmp_path, **{old: new}))) != before


def test_the_code_of_a_simulator_counts(tmp_path: Path) -> None:
    twin = load_twin(write_twin(tmp_path))
    before = fingerprint(twin)
    with open(tmp_path / "plate.py", "a") as file:
        file.write("# changed\n")
    assert fingerprint(twin) != before
    (tmp_path / "plate.py").unlink()
    with pytest.raises(TwinError, match=r"plate\.py: cannot be read"):
        fingerprint(twin)


def test_files_of_commands_units_and_packages_count(tmp_path: Path) -> None:
    command = load_twin(
        write_twin(tmp_path, **{PYTHON: "{type: command, run: [python, plate.py, '7']}"})
    )
    assert list(content(command)["simulator"]["files"]) == ["plate.py"]
    assert "folder" not in content(command)["simulator"]
    (tmp_path / "a.fmu").write_bytes(b"1")
    fmu = load_twin(write_twin(tmp_path, **{PYTHON: "{type: fmu, file: a.fmu, stop_time_s: 1}"}))
    assert content(fmu)["simulator"]["file"] == "a.fmu"
    before = fingerprint(fmu)
    (tmp_path / "a.fmu").write_bytes(b"2")
    assert fingerprint(fmu) != before


def test_all_files_of_a_package_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "platepack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "physics.py").write_text("G = 9.81\n")
    write_twin(tmp_path)
    shutil.copy(tmp_path / "plate.py", package / "run.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    use = '{type: python, use: "platepack.run:simulate"}'
    twin = load_twin(write_twin(tmp_path, **{PYTHON: use}))
    assert list(content(twin)["simulator"]["files"]) == ["__init__.py", "physics.py", "run.py"]
    before = fingerprint(twin)
    (package / "physics.py").write_text("G = 9.80665\n")
    assert fingerprint(twin) != before
    sys.modules.pop("platepack", None)
