"""A full disk gets a sentence, and what was written before it stays whole.

The disk is made full by the system's limit on the size of a file, in a process of its own.
"""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modalloy as ma
from modalloy.answer.cache import Budget, Cache

COMMAND = [sys.executable, "-m", "modalloy"]


def limited(largest: int, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb that can write no file of more than this many bytes."""
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )


def test_a_training_says_so_and_keeps_what_was_there(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    plain = {"load": {"type": "number"}}
    job = job_dict(small_table, columns=plain, train={"epochs": 2, "batch": 16})
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    before = {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()}
    done = limited(2000, "train", str(run.path / "job.yaml"), "-o", str(tmp_path / "other"))
    assert done.returncode == 2
    assert "cannot be written (File too large); the older file is unharmed." in done.stderr
    assert "Traceback" not in done.stderr
    out = run.path / "report.html"
    done = limited(2000, "evaluate", str(run.path), "-o", str(out))
    assert done.returncode == 2
    assert f"error: {out}: cannot be written" in done.stderr
    assert {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()} == before


def test_answers_are_written_whole_or_not_at_all(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    plain = {"load": {"type": "number"}}
    job = job_dict(small_table, columns=plain, train={"epochs": 1, "batch": 16})
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    for name in ("answers.csv", "answers.parquet"):
        out = tmp_path / name
        ma.predict(run, small_table, out=out, quiet=True)
        before = out.read_bytes()
        done = limited(500, "predict", str(run.path), str(small_table), "-o", str(out))
        assert done.returncode == 2, done.stderr
        assert f"error: {out}: cannot be written" in done.stderr
        assert out.read_bytes() == before
    with pytest.raises(ma.errors.TableError, match="there is no folder"):
        ma.predict(run, small_table, out=tmp_path / "none" / "a.csv", quiet=True)


def test_rows_that_the_disk_cannot_hold_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(Budget(1.0))
    row = {"x": np.arange(100.0)}
    cache.put(0, row)
    half = lambda file, data, start: len(data) // 2  # noqa: E731
    monkeypatch.setattr("os.pwrite", half)
    cache.put(1, row)
    monkeypatch.undo()
    cache.put(2, row)
    assert [cache.get(i) is not None for i in range(3)] == [True, False, False]
    assert np.array_equal(cache.get(0)["x"], row["x"])
