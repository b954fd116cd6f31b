"""A record of runs is gone on with after any kill, and never with another twin."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.errors import TwinError
from modalloy.twin.journal import Header, Journal, Recorded, read_journal
from modalloy.twin.runs import Outcome

CONTENT: dict[str, Any] = {"variables": {"x1": {"low": 0.05, "high": 0.2}}, "outputs": ["mass"]}
HEADER = Header("abc", CONTENT, {"kind": "latin", "count": 5}, 3, {"numpy": "2.4"})


def recorded(run: int) -> Recorded:
    """A run."""
    outputs = {"mass": 0.1 * run, "note": 'weld "ü"\n'}
    return Recorded(Outcome(run, "ok", "", outputs, 0.25, run, 1), {"x1": np.float64(run / 3)})


def write(path: Path, runs: range) -> None:
    """Add runs to a record."""
    with Journal(path, HEADER) as journal:
        for run in runs:
            journal.add(recorded(run))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep/runs.jsonl"
    write(path, range(3))
    failed = Recorded(Outcome(3, "failed", "no", {}, 1.5, 9, 2), {})
    with Journal(path, HEADER) as journal:
        assert journal.runs == {run: recorded(run) for run in range(3)}
        journal.add(failed)
        assert journal.runs[3] == failed
    header, runs = read_journal(path)
    assert header == HEADER
    assert runs == {run: recorded(run) for run in range(3)} | {3: failed}


def test_every_torn_end_is_dropped_and_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    write(path, range(3))
    whole = path.read_bytes()
    ends = [end for end in range(len(whole) + 1) if whole[:end].endswith(b"\n")]
    assert len(ends) == 4
    for cut in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:cut])
        kept = max(sum(end <= cut for end in ends) - 1, 0)
        if cut >= ends[0]:
            assert list(read_journal(path)[1]) == list(range(kept))
        with Journal(path, HEADER) as journal:
            assert list(journal.runs) == list(range(kept))
            for run in range(kept, 3):
                journal.add(recorded(run))
        assert path.read_bytes() == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from test_runs_journal import HEADER, recorded
from modalloy.twin.journal import Journal

journal = Journal(Path(sys.argv[1]), HEADER)
for run in range(1000):
    journal.add(recorded(run))
    if run == 37:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_no_run_that_was_added(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    code = f"import sys; sys.path[:] = {paths!r}\n{KILLED}"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
    assert list(read_journal(path)[1]) == list(range(38))
    with Journal(path, HEADER) as journal:
        assert len(journal.runs) == 38


def changed(**given: Any) -> Header:
    """Another header."""
    return HEADER._replace(**given)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            changed(
                fingerprint="x",
                content=CONTENT | {"variables": {"x1": {"low": 0.05, "high": 0.3}}},
            ),
            r"the twin has changed since: variables\.x1\.high was 0\.2 and is 0\.3; change it back",
        ),
        (
            changed(fingerprint="x", content=CONTENT | {"hidden": {}, "outputs": ["f1"]}),
            r'outputs was \["mass"\] and is \["f1"\] \(1 more\); change it back to go on',
        ),
        (
            changed(fingerprint="x", content={"variables": CONTENT["variables"]}),
            r"the twin has changed since: outputs is gone;",
        ),
        (changed(fingerprint="x"), "the twin has changed since: its simulator has changed;"),
        (
            changed(plan={"kind": "sobol", "count": 5}),
            r'it is of another plan: plan\.kind was "latin" and is "sobol";',
        ),
        (changed(seed=4), "it is of another seed: seed was 3 and is 4; change it back"),
    ],
)
def test_another_twin_plan_or_seed_is_refused(tmp_path: Path, header: Header, words: str) -> None:
    path = tmp_path / "runs.jsonl"
    write(path, range(2))
    before = path.read_bytes()
    with pytest.raises(TwinError, match=words):
        Journal(path, header)
    assert path.read_bytes() == before
    write(path, range(2, 3))  # it is free again
    assert len(read_journal(path)[1]) == 3


def test_versions_that_change_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    write(path, range(2))
    newer = changed(versions={"numpy": "2.5"})
    for _ in range(2):
        with Journal(path, newer) as journal:
            assert journal.versions == [{"numpy": "2.4"}, {"numpy": "2.5"}]
            assert len(journal.runs) == 2
    assert len(path.read_text().splitlines()) == 4


def test_only_one_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    with Journal(path, HEADER), pytest.raises(TwinError, match="another process is writing this"):
        Journal(path, HEADER)
    write(path, range(1))
    assert len(read_journal(path)[1]) == 1


@pytest.mark.parametrize("text", ["x1,mass\n0.1,2\n", "notes", '{"a": 1}\n'])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(TwinError, match="is no record of runs"):
        Journal(path, HEADER)
    with pytest.raises(TwinError, match="is no record of runs"):
        read_journal(path)
    assert path.read_text() == text


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    write(path, range(3))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{damaged\n", *lines[2:]]))
    with pytest.raises(TwinError, match=r"runs\.jsonl, line 2: is damaged"):
        read_journal(path)
    path.write_text("".join([*lines[:2], '{"run": 1, "values": {}}\n']))
    with pytest.raises(TwinError, match="line 3: is no run of this version"):
        Journal(path, HEADER)
    path.write_text('{"journal": 1, "fingerprint": "abc"}\n')
    with pytest.raises(TwinError, match="line 1: says nothing of 'content'"):
        Journal(path, HEADER)


def test_places_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(TwinError, match="cannot be read"):
        read_journal(tmp_path / "absent.jsonl")
    with pytest.raises(TwinError, match="cannot be written"):
        Journal(tmp_path, HEADER)
    full = Path("/dev/full")
    if full.exists():
        with Journal(tmp_path / "runs.jsonl", HEADER) as journal:
            kept, journal._file = journal._file, open(full, "ab", buffering=0)  # noqa: SIM115
            with pytest.raises(TwinError, match=r"cannot be written .*; make room and go on"):
                journal.add(recorded(0))
            journal._file.close()
            journal._file = kept
