"""What a run says of itself, and what is said of one that is not as it was written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from modalloy.errors import RunError
from modalloy.judge.report import Report
from modalloy.report.card import card
from modalloy.runs import run as run_file
from modalloy.runs.saving import add_part
from modalloy.runs.seal import FORMAT, Parent, digest
from untrained import untrained


def reseal(path: Path, **changes: Any) -> None:
    """Write other values into `run.json`, and the hashes of the files as they are now."""
    seal = json.loads((path / "run.json").read_text())
    seal["sha256"] = {name: digest(path / name) for name in seal["sha256"]}
    seal = {key: value for key, value in (seal | changes).items() if value is not ...}
    (path / "run.json").write_text(json.dumps(seal))


def test_a_run_names_the_run_it_was_made_from(small_table: Path, tmp_path: Path) -> None:
    first = untrained(tmp_path / "first", small_table)
    assert (first.format, first.kind, first.parent) == (FORMAT, "model", None)
    assert "Made from" not in card(first, Report())
    second = untrained(tmp_path / "second", small_table, seed=1, parent=first.as_parent("adapt"))
    again = ma.load_run(second.path)
    assert again.parent == second.parent == Parent(first.identity, "adapt", "first")
    assert again.parent.verb == "adapt"
    assert again.parent.sha256 == digest(first.path / "run.json")
    assert (again.identity, again.sealed) == (second.identity, second.sealed)
    assert f"Made from run {first.identity[:12]} (first) by `adapt`." in card(again, Report())
    third = untrained(tmp_path / "third", small_table, parent=again.as_parent("harden"))
    assert ma.load_run(third.path).parent == (second.identity, "harden", "second")
    assert len(ma.predict(again, small_table, quiet=True)) == 80


def test_a_part_that_is_gone_or_changed_is_refused(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table, parts={"a.json": b"{}", "b/c.bin": b"c"})
    with pytest.raises(RunError, match=r"has no part 'd'; it has a\.json, b/c\.bin\."):
        run.part("d")
    with pytest.raises(RunError, match=r"has no part 'd'; it has none\."):
        untrained(tmp_path / "bare", small_table).part("d")
    (run.path / "b" / "c.bin").write_bytes(b"C")
    with pytest.raises(RunError, match=r"b/c\.bin is not the file that was sealed"):
        run.part("b/c.bin")
    with pytest.raises(RunError, match=r"b/c\.bin is not the file that training wrote"):
        ma.load_run(run.path)
    (run.path / "b" / "c.bin").unlink()
    with pytest.raises(RunError, match=r"b/c\.bin cannot be read"):
        run.part("b/c.bin")
    with pytest.raises(RunError, match=r"b/c\.bin is missing, so this run cannot be used"):
        ma.load_run(run.path)
    assert run.part("a.json") == b"{}"


def test_runs_of_newer_versions_say_what_to_do(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table)
    reseal(run.path, format=FORMAT + 1, modalloy="9.1.0", sha256=["another form"])
    made = rf"made by a newer version \(format {FORMAT + 1}, modalloy 9\.1\.0\).*upgrade modalloy"
    with pytest.raises(RunError, match=made):
        ma.load_run(run.path)
    run = untrained(tmp_path / "kind", small_table)
    reseal(run.path, kind="body")
    with pytest.raises(RunError, match="run of kind 'body', which this version does not know"):
        ma.load_run(run.path)


@pytest.mark.parametrize("damage", [{"format": "2"}, {"format": 0}, {"notes": ...}, {"sha256": []}])
def test_a_damaged_seal_is_a_sentence(
    small_table: Path, tmp_path: Path, damage: dict[str, Any]
) -> None:
    run = untrained(tmp_path / "run", small_table)
    reseal(run.path, **damage)
    with pytest.raises(RunError, match=r"run\.json: is not what training wrote; restore it"):
        ma.load_run(run.path)


def test_a_seal_names_no_file_outside_its_run(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table)
    (tmp_path / "secret.next").write_bytes(b"x")
    reseal(run.path, sha256=dict(run.sealed) | {"../secret": digest(tmp_path / "secret.next")})
    with pytest.raises(RunError, match="cannot name a part of a run"):
        ma.load_run(run.path)
    assert not (tmp_path / "secret").exists()


def test_a_run_that_is_sealed_anew_while_it_is_loaded_loads_as_the_new_one(
    small_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained(tmp_path / "run", small_table, parts={"a.json": b"old"})
    real, calls = run_file.find_sealed, []

    def after_another(path: Path, name: str, sealed: str | None) -> None:
        if not calls:
            calls.append(add_part(run, "a.json", b"new"))
        real(path, name, sealed)

    monkeypatch.setattr(run_file, "find_sealed", after_another)
    found = ma.load_run(run.path)
    assert found.part("a.json") == b"new"
    assert found.identity == calls[0].identity


def test_a_run_may_move_to_a_folder_of_any_name(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table, parts={"a.json": b"{}"})
    moved = shutil.copytree(run.path, tmp_path / "prüfstand 3")
    assert ma.load_run(moved).identity == run.identity
    assert ma.load_run(moved).as_parent("adapt").path == "prüfstand 3"
