"""Writes the golden bundle of the present format of bundles: a small model and what it answered.

`python dev/golden_bundle.py` makes `tests/golden/bundle-N/` anew, and a test asks every later
version for the same answers. That of a format that was released is never written anew.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import modalloy as ma
from golden import GOLDEN, JOB, answers, lines, write_tables
from modalloy.bundle.manifest import FORMAT

COLUMNS = ("spectrum", "load", "site", "taken_at")
NEEDED = (*COLUMNS, "ordered_at", "machine", "fault_code", "faults", "hours")
BUNDLE: dict[str, Any] = {
    **JOB,
    "columns": {name: JOB["columns"][name] for name in COLUMNS},
    "tasks": {name: JOB["tasks"][name] for name in ("fault", "kinds", "life")},
}
MOST = 300_000  # bytes that the repository has room for


def main() -> None:
    """Train, export and ask; then keep the bundle, its tables and the answers."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_tables(folder)
        for name in ("parts.csv", "new.csv"):
            frame = pd.read_csv(folder / name, sep=";", decimal=",", dtype=str)
            kept = [n for n in NEEDED if n in frame]
            frame[kept].to_csv(folder / name, sep=";", index=False)
        run = ma.train(BUNDLE, table=folder / "parts.csv", out=folder / "run", quiet=True)
        bundle = ma.export(run, folder / "model.zip", quiet=True)
        tables = {name: answers(bundle, folder / name) for name in ("parts.csv", "new.csv")}
        out = GOLDEN / f"bundle-{FORMAT}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for name in ("model.zip", "parts.csv", "new.csv"):
            shutil.copyfile(folder / name, out / name)
        (out / "expected.json").write_text(lines({"tables": tables}, 2) + "\n")
    sizes = {path.name: path.stat().st_size for path in sorted(out.iterdir())}
    print(json.dumps(sizes))
    assert sizes["model.zip"] < MOST, "too large for the repository"


if __name__ == "__main__":
    main()
