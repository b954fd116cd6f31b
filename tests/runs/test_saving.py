"""Whatever ends the process that writes a run or a part of it, the older run is left or the new."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from modalloy.errors import RunError
from modalloy.machine.files import locked
from modalloy.runs import saving
from modalloy.runs.run import Run
from modalloy.runs.saving import add_part
from modalloy.runs.seal import digest
from untrained import untrained

PART = "adapters/line3.safetensors"


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it to tidy up."""


def failing(patch: pytest.MonkeyPatch, at: int, error: BaseException) -> list[str]:
    """Let this rename fail from now on: files are whole or not there at all."""
    seen: list[str] = []
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        seen.append(Path(target).name)
        if len(seen) == at:
            raise error
        real(source, target)

    patch.setattr(os, "replace", replace)
    return seen


def contents(run: Run) -> tuple[dict[str, bytes], str]:
    """Everything that a run holds, read anew, and what its children would call it."""
    again = ma.load_run(run.path)
    return {name: again.part(name) for name in again.sealed}, again.identity


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("at", range(1, 11))
def test_killed_at_any_write_of_a_run_with_parts(
    small_table: Path, tmp_path: Path, at: int, replaces: bool
) -> None:
    """Five files, the seal, then four places; an eleventh rename never comes."""
    out = tmp_path / "run"
    older = {PART: b"old", "policy.json": b"gone with the older run"}
    if replaces:
        before = contents(untrained(out, small_table, seed=1, parts=older, interrupted=True))
    parts = {PART: b"new", "calibration.json": b"{}"}
    with pytest.MonkeyPatch.context() as patch:
        seen = failing(patch, at + 1, Killed())  # the first one is the rows' fingerprints
        with pytest.raises(Killed):
            untrained(out, small_table, parts=parts)
    assert len(seen) == at + 1
    sealed = at > 6
    if not (replaces or sealed):
        with pytest.raises(RunError, match="no run"):
            ma.load_run(out)
    elif not sealed:
        assert contents(ma.load_run(out)) == before
    else:
        assert {name: ma.load_run(out).part(name) for name in ma.load_run(out).parts} == parts
    whole = untrained(out, small_table, parts=parts)
    assert contents(whole) == ({n: whole.part(n) for n in whole.sealed}, whole.identity)
    assert whole.parts == (PART, "calibration.json")
    # Killed between the seal and the last place, a file that nothing names any more stays.
    assert (out / "policy.json").exists() is (replaces and sealed)
    assert not [p for p in out.rglob("*") if p.suffix in (".next", ".lock")]


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")])
def test_ended_at_any_write_of_a_part(
    small_table: Path, tmp_path: Path, at: int, replaces: bool, error: BaseException
) -> None:
    """The part, the seal, the place; a fourth rename never comes."""
    run = untrained(tmp_path / "run", small_table, parts={PART: b"old"} if replaces else {})
    before = contents(run)
    with pytest.MonkeyPatch.context() as patch:
        seen = failing(patch, at, error)
        with pytest.raises((Killed, RunError, OSError)):
            add_part(run, PART, b"new")
    assert len(seen) == at
    found = ma.load_run(run.path)
    if at < 3:
        assert contents(found) == before
        found = add_part(found, PART, b"new")
    assert found.part(PART) == b"new"
    assert contents(found) == (before[0] | {PART: b"new"}, found.identity)
    assert found.identity != before[1]
    assert not [p for p in run.path.rglob("*") if p.suffix in (".next", ".lock")]


def test_parts_are_added_and_replaced_one_by_one(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table)
    assert run.parts == ()
    one = add_part(run, "calibration.json", b"1")
    two = add_part(one, "index/rows.bin", bytes(range(256)))
    three = add_part(two, "calibration.json", b"3")
    assert len({r.identity for r in (run, one, two, three)}) == 4
    again = ma.load_run(run.path)
    assert (again.identity, again.sealed) == (three.identity, three.sealed)
    assert again.parts == ("calibration.json", "index/rows.bin")
    assert [again.part(name) for name in again.parts] == [b"3", bytes(range(256))]
    assert again.identity == digest(run.path / "run.json")
    assert (again.notes, again.job) == (run.notes, run.job)


def test_a_run_that_has_changed_since_it_was_loaded_gets_no_part(
    small_table: Path, tmp_path: Path
) -> None:
    run = untrained(tmp_path / "run", small_table)
    add_part(run, "a.json", b"a")
    with pytest.raises(RunError, match=r"changed since it was loaded; load it again.*'b\.json'"):
        add_part(run, "b.json", b"b")
    assert ma.load_run(run.path).parts == ("a.json",)


def test_one_process_at_a_time_seals_a_run(
    small_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained(tmp_path / "run", small_table)
    monkeypatch.setattr(saving, "PATIENCE_S", 0.05)
    with locked(run.path / "run.lock", "held"):
        with pytest.raises(RunError, match="another process is writing this run"):
            add_part(run, "a.json", b"a")
        with pytest.raises(RunError, match="another process is writing this run"):
            untrained(run.path, small_table)
    assert add_part(run, "a.json", b"a").parts == ("a.json",)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "cannot name a part"),
        ("/etc/passwd", "cannot name a part"),
        ("../other/run.json", "cannot name a part"),
        ("adapters/../run.json", "cannot name a part"),
        ("a//b", "cannot name a part"),
        (".hidden", "cannot name a part"),
        ("a\\b", "cannot name a part"),
        ("a.next", "cannot name a part"),
        ("a.json.12.part", "cannot name a part"),
        ("run.json", "the run itself writes run.json"),
        ("Model.safetensors", "the run itself writes model.safetensors"),
        ("card.md/x", "the run itself writes card.md"),
        ("checkpoints/a", "the run itself writes checkpoints"),
    ],
)
def test_names_that_no_part_can_have(
    small_table: Path, tmp_path: Path, name: str, why: str
) -> None:
    run = untrained(tmp_path / "run", small_table)
    before = sorted(p.name for p in run.path.rglob("*"))
    with pytest.raises(RunError, match=why):
        add_part(run, name, b"x")
    with pytest.raises(RunError, match=why):
        untrained(run.path, small_table, parts={name: b"x"})
    assert sorted(p.name for p in run.path.rglob("*")) == before
    assert ma.load_run(run.path).identity == run.identity


def test_a_part_where_a_folder_cannot_be_is_a_sentence(small_table: Path, tmp_path: Path) -> None:
    run = add_part(untrained(tmp_path / "run", small_table), "adapters", b"a file")
    with pytest.raises(RunError, match=r"adapters: cannot be made"):
        add_part(run, "adapters/line3", b"x")
    assert ma.load_run(run.path).parts == ("adapters",)
