"""A full disk gets a sentence, and what was written before it stays whole.

The disk is made full by the system's limit on the size of a file, in a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modalloy as ma
from modalloy.answer.cache import Budget, Cache

# Each verb can write no file of so many bytes or more; it ends with its status, said on stderr.
LIMITED = """
import json, resource, sys
from modalloy.cli import main
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for largest, *words in json.loads(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    sys.argv = ["modalloy", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    print("ENDED", code, file=sys.stderr)
"""


def limited(*verbs: tuple[int, *tuple[str, ...]]) -> list[tuple[int, str]]:
    """Verbs one after the other, each as (largest file in bytes, words): its exit code and what it
    said on stderr.
    """
    program = [sys.executable, "-c", LIMITED, json.dumps(verbs)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *ends, rest = done.stderr.split("ENDED ")
    codes = [int(text.split("\n", 1)[0]) for text in (*ends[1:], rest)]
    said = [ends[0], *(text.split("\n", 1)[1] for text in ends[1:])]
    return list(zip(codes, said, strict=True))


@pytest.mark.usefixtures("no_lines")
def test_verbs_say_so_and_keep_what_was_there(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    plain = {"load": {"type": "number"}}
    job = job_dict(small_table, columns=plain, train={"epochs": 2, "batch": 16})
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    answers = [tmp_path / name for name in ("answers.csv", "answers.parquet")]
    for out in answers:
        ma.predict(run, small_table, out=out, quiet=True)
    files = [*(p for p in run.path.iterdir() if p.is_file()), *answers]
    before = {path: path.read_bytes() for path in files}
    page = run.path / "report.html"
    (code, said), *others = limited(
        (2000, "train", str(run.path / "job.yaml"), "-o", str(tmp_path / "other")),
        (2000, "evaluate", str(run.path), "-o", str(page)),
        *((500, "predict", str(run.path), str(small_table), "-o", str(out)) for out in answers),
    )
    assert code == 2
    assert "cannot be written (File too large); the older file is unharmed." in said
    assert "Traceback" not in said
    for (code, said), out in zip(others, (page, *answers), strict=True):
        assert code == 2, said
        assert f"error: {out}: cannot be written" in said
    assert {p for p in run.path.iterdir() if p.is_file()} | {*answers} == before.keys()
    assert {path: path.read_bytes() for path in files} == before
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
