"""Split training over two sites against one table with all columns: spoken and written digits.

The camera's site has the pictures; the other has the recordings and says which digit it was.
`lines()` is what `bench.federate` publishes.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from bench.line import Line
from bench.shared_sets import default_data
from modalloy.federation.matched.match_run import match_here
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table

CASE = "split training over two sites"
COMMAND = "python -m bench.federate"
GOAL = 0.97  # of what the joined table reaches
TAKES = (5, 21)  # takes of each speaker and digit that are learned from: so few that both help
JOB: dict[str, Any] = {
    "table": "of-each-site.csv",
    "split": {"column": "split"},
    "columns": {
        "audio": {"type": "audio", "rate_hz": 8000, "seconds": 0.75},
        "image": {"type": "image", "pixels": 28},
    },
    "tasks": {"digit": {"type": "classify", "target": "digit"}},
    "train": {"epochs": 16, "batch": 32},
    "blend": {"use": "never"},
    "federate": {"matched": {"by": "id"}},
}
SITES = {"camera": ["id", "image"], "line": ["id", "audio", "digit", "split"]}


def tables(data: Path) -> dict[str, pd.DataFrame]:
    """Each site's columns of the parts, its rows in an order of its own; files by whole paths."""
    frame = pd.read_csv(data / "av_digits" / "table.csv")
    learned = (frame["split"] != "train") | frame["take"].between(*TAKES, inclusive="left")
    frame = frame[learned].copy()
    for column in ("audio", "image"):
        frame[column] = [str(data / "av_digits" / path) for path in frame[column]]
    return {
        site: frame[columns].sample(frac=1.0, random_state=k)
        for k, (site, columns) in enumerate(SITES.items())
    }


def lines() -> list[Line]:
    """Figures on the test rows; none where the data are not here."""
    data = default_data()
    if not (data / "av_digits" / "table.csv").is_file():
        return []
    job = load_job({**JOB, "allow_outside": True})
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict("os.environ", {"MODALLOY_SITE_KEY": "the sites of this bench"}),
    ):
        opened = {s: open_table(t, allow_outside=True) for s, t in tables(data).items()}
        run = match_here(job, opened, Path(folder) / "run", quiet=True)
    return told(run.notes["matched"], time.perf_counter() - start)


def told(notes: Mapping[str, Any], seconds: float) -> list[Line]:
    """The lines of one split training."""
    figures = notes["figures"]
    split, joined = figures["split"]["digit"], figures["joined"]["digit"]
    share = split["accuracy"] / joined["accuracy"]
    given = {"seconds": seconds, "command": COMMAND}
    found = [
        Line(
            CASE, "share of the joined table's accuracy", share, None,
            f"{joined['accuracy']:.3f} joined", f">= {GOAL}", share >= GOAL, **given,
        ),
        Line(CASE, "accuracy, split", split["accuracy"], interval(split), **given),
        Line(CASE, "accuracy, joined table", joined["accuracy"], interval(joined), **given),
    ]  # fmt: skip
    for site, own in figures["alone"].items():
        own = own["digit"]
        found.append(Line(CASE, f"accuracy, {site} alone", own["accuracy"], interval(own), **given))
    less = figures["without"]["digit"]
    found.append(
        Line(CASE, "accuracy, split, camera missing", less["accuracy"], interval(less), **given)
    )
    megabytes = sum(notes["bytes"].values()) / 1e6
    found.append(Line(CASE, "MB that travelled, both ways", megabytes, **given))
    return found


def interval(figures: Mapping[str, Any]) -> tuple[float, float] | None:
    """Of an accuracy, 95 %."""
    ends = figures.get("interval", {}).get("accuracy")
    return None if ends is None else (float(ends[0]), float(ends[1]))


if __name__ == "__main__":
    for line in lines():
        print(f"{line.metric}: {line.value:.4g}")
