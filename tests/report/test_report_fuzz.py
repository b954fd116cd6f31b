"""Reports over random small tables of every kind of column, task and rarity are whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from modalloy.errors import ModalloyError
from modalloy.job.job_file import load_job
from modalloy.judge.report import Report
from modalloy.judge.sections import say_failed
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.model import Model
from modalloy.report.evaluate import evaluate_rows
from modalloy.report.extras import Extras
from modalloy.table.split import Parts
from modalloy.table.table import open_table

SEEDS = range(8)
COLUMNS: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "other": {"type": "number", "scale": "log"},
    "code": {"type": "category"},
    "many": {"type": "category"},
    "when": {"type": "time"},
    "note": {"type": "text", "max_tokens": 8, "vocabulary": 64},
    "words": {"type": "tokens", "max_tokens": 8, "vocabulary": 64},
    "signal": {"type": "series", "length": 1024, "front": ["statistics"]},
    "waves": {"type": "series", "length": 64, "rate_hz": 100},
    "list": {"type": "vector"},
    "photo": {"type": "image", "pixels": 16, "augment": "none"},
}
TASKS: dict[str, dict[str, Any]] = {
    "one": {"type": "classify", "target": "one"},
    "rare": {"type": "classify", "target": "rare", "class_weights": "balanced"},
    "some": {"type": "classify", "target": "some", "labels": "multi"},
    "size": {"type": "regress", "target": "size", "quantiles": [0.1, 0.9]},
    "same": {"type": "regress", "target": "same", "loss": "absolute", "scale": "log"},
    "tags": {"type": "tag", "target": "tags", "on": "words"},
    "spots": {"type": "locate", "target": "spots", "on": "photo"},
}
SPLITS: tuple[dict[str, Any], ...] = (
    {"random": "stratified"},
    {"by": "machine"},
    {"time": "when"},
)


def write_frame(folder: Path, rng: np.random.Generator) -> pd.DataFrame:
    """A few rows with odd cells of every kind."""
    rows = int(rng.choice([8, 13, 30, 60]))
    for k in range(4):
        pixels = rng.integers(0, 255, (12 + k, 20 - k, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    words = [["a", "Pump", "x9"][: int(rng.integers(0, 4))] for _ in range(rows)]
    tags = [["B-x" if rng.random() < 0.4 else "O" for _ in w] for w in words]
    spots = [[[1, 1, 6, 6]] * int(rng.integers(0, 3)) for _ in range(rows)]
    spots[0], words[0], tags[0] = [[1, 1, 6, 6]], ["a"], ["B-x"]
    lengths = rng.choice([1, 3, 40, 500, 530, 1400], rows)
    frame: dict[str, list[Any]] = {
        "number": rng.normal(0, rng.choice([1e-9, 1.0, 1e12]), rows).tolist(),
        "other": np.exp(rng.normal(0, 5, rows)).tolist(),
        "code": rng.choice(["a", "b", "ü ☃", "1.0"], rows).tolist(),
        "many": [f"n{k}" for k in rng.integers(0, 400, rows)],
        "when": [pd.Timestamp("2024-01-01") + pd.Timedelta(hours=int(h)) for h in range(rows)],
        "note": rng.choice(["", "!!", "a crack", "nothing"], rows).tolist(),
        "words": words,
        "signal": [rng.normal(0, 1, n).tolist() for n in lengths],
        "waves": [np.zeros(max(2, n % 90)).tolist() for n in lengths],
        "list": [rng.normal(0, 1, 3).tolist() for _ in range(rows)],
        "photo": [f"{k}.png" for k in rng.integers(0, 5, rows)],
        "machine": [f"m{k}" for k in rng.integers(0, max(2, rows // 5), rows)],
        "one": rng.choice(["yes", "no", "maybe"], rows).tolist(),
        "rare": ["bad" if k < 2 else "good" for k in rng.permutation(rows)],
        "some": [";".join(n for n in "pqr" if rng.random() < 0.3) for _ in range(rows)],
        "size": rng.normal(0, 1, rows).tolist(),
        "same": [4.0] * rows,
        "tags": tags,
        "spots": spots,
    }
    for name, cells in frame.items():
        gone = rng.choice([0.0, 0.3, 0.8]) if name not in ("when", "machine") else 0.0
        frame[name] = [None if k > 1 and rng.random() < gone else c for k, c in enumerate(cells)]
    return pd.DataFrame(frame)


def random_report(folder: Path, seed: int) -> Report | None:
    """The report of an untrained model over a random table; None where its job is refused."""
    rng = np.random.default_rng(seed)
    path = folder / "table.parquet"
    write_frame(folder, rng).to_parquet(path)
    names = rng.choice(list(COLUMNS), int(rng.integers(1, 5)), replace=False).tolist()
    tasks = rng.choice(list(TASKS), int(rng.integers(1, 3)), replace=False).tolist()
    needs = {"tags": "words", "spots": "photo"}
    names = list(dict.fromkeys([*names, *(needs[t] for t in tasks if t in needs)]))
    job = load_job(
        {
            "table": str(path),
            "unreadable": "missing",
            "split": SPLITS[rng.integers(len(SPLITS))],
            "columns": {n: COLUMNS[n] for n in names},
            "fuse": {"type": "concat", "width": 8, "layers": 1},
            "tasks": {t: TASKS[t] for t in tasks},
        }
    )
    table = open_table(job.table)
    order = rng.permutation(table.rows)
    cut = int(rng.choice([1, 2, table.rows // 3]))
    parts = Parts(np.sort(order[cut:]), order[:0], np.sort(order[:cut]))
    try:
        rows = open_loader(job, table, parts)
        parts = parts._replace(train=rows.labelled(parts.train))
        model = Model(job, rows.readers, rows.targets, pretrained=False)
    except ModalloyError:  # a column or target without a cell in training rows
        return None
    extras = Extras(parts, begun=True)
    return evaluate_rows(model, rows, parts.test, extras, folder / "report.html", quiet=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_report_of_any_table_is_whole(seed: int, tmp_path: Path) -> None:
    report = random_report(tmp_path, seed)
    if report is None:
        pytest.skip("its job is refused: a column or target has no cell in training rows")
    assert say_failed(report.failed) == []
    assert report.tasks
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert Report.load(tmp_path / "report.json").tasks.keys() == report.tasks.keys()
