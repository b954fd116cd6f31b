"""What a bundle costs: from a fresh process to its first answer, on a large table, in clusters.

    python -m bench.bundle start
    python -m bench.bundle table [--rows 1000000]
    python -m bench.bundle clusters [--rows 1000000]

`start` and `table` write docs/bundle.md, `clusters` docs/clusters.md. Bundles are trained for one
epoch on made-up rows: what is measured does not depend on what they learned.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.line import Line, publish

TIMES = 5  # fresh processes, of which the median counts
GROUP = 50_000
WORKERS = 2
WORDS = ("bearing", "seal", "worn", "cracked", "replaced", "leaks", "noise", "housing", "north")
START_S, START_MB = 1.5, 250.0
PRETRAINED = {
    "photo": {"type": "image", "encoder": "efficientnet_lite0", "tune": "frozen"},
    "note": {"type": "text", "encoder": "minilm", "tune": "frozen"},
}
SCRATCH: dict[str, dict[str, Any]] = {"photo": {"type": "image"}, "note": {"type": "text"}}

FIRST = """
import json, os, sys, time
sys.argv.pop(0)
from modalloy import runtime
asked = runtime.open(sys.argv[0])
asked.frame(json.loads(sys.argv[1]))
spent = time.time() - float(sys.argv[2])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
mb = {k: int(status[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM")}
print(json.dumps({"wall_s": spent, "cpu_s": sum(os.times()[:2]), **mb}))
"""


class Run(NamedTuple):
    """A process that ended: seconds by the clock and of the processor, and peak memory."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("start", "table", "clusters"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if options.what == "start":
            publish("bundle", start_lines(folder), "bundle.md")
        elif options.what == "table":
            publish("bundle", table_lines(folder, options.rows), "bundle.md")
        else:
            publish("clusters", cluster_lines(folder, options.rows), "clusters.md")


# --- from a fresh process to the first answer ---------------------------------------------------


def start_lines(folder: Path) -> list[Line]:
    """Text, picture and number: encoders from scratch, and pretrained ones."""
    lines = []
    for name, columns in (("own encoders", SCRATCH), ("MiniLM + EfficientNet", PRETRAINED)):
        place = folder / name.split()[0]
        place.mkdir()
        rows = parts(place, 64, photos=True)
        bundle = bundle_of(place, rows, columns | {"load": {"type": "number"}})
        row = {c: [rows[c].iloc[0]] for c in ("photo", "note", "load")}
        row["photo"] = [str(place / row["photo"][0])]
        runs = [first_answer(bundle, row) for _ in range(TIMES + 1)][1:]
        told = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        given = {
            "command": "python -m bench.bundle start",
            "seconds": sum(r["wall_s"] for r in runs),
        }
        case = f"first answer, text + picture + number, {name}"
        wall, cpu, mb = told["wall_s"], told["cpu_s"], told["VmHWM"]
        lines += [
            Line(case, "s", wall, goal=f"< {START_S}", reached=wall < START_S, **given),
            Line(case, "s of processor", cpu, **given),
            Line(case, "MB at most", mb, goal=f"< {START_MB:g}", reached=mb < START_MB, **given),
        ]
    return lines


def first_answer(bundle: Path, row: dict[str, Any]) -> dict[str, float]:
    """One fresh process: seconds until it has answered one row, and its memory."""
    command = [sys.executable, "-c", FIRST, str(bundle), json.dumps(row), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# --- a table larger than memory -----------------------------------------------------------------


def table_lines(folder: Path, rows: int) -> list[Line]:
    """Peak memory of `predict -o` on a tenth of the rows and on all of them."""
    bundle, lines = notes_bundle(folder), []
    for count in (rows // 10, rows):
        table, out = folder / f"{count}.parquet", folder / "answers.parquet"
        write_table(table, count)
        found = process("-m", "modalloy", "predict", bundle, table, "-o", out)
        assert pq.read_metadata(out).num_rows == count
        case = f"predict -o, {count} rows of numbers and text, {size_mb(table):.0f} MB"
        given = {"command": "python -m bench.bundle table", "seconds": found.wall_s}
        lines += [
            Line(case, "MB at most", found.peak_mb, **given),
            Line(case, "rows/s", count / found.wall_s, **given),
            Line(case, "rows/s of processor", count / found.cpu_s, **given),
        ]
    return lines


# --- clusters -----------------------------------------------------------------------------------


def cluster_lines(folder: Path, rows: int) -> list[Line]:
    """Rows a second of one process, and of Ray and Dask with two workers, where installed."""
    bundle, table = notes_bundle(folder), folder / "rows"
    table.mkdir()
    for part in range(4):
        write_table(table / f"{part}.parquet", rows // 4, seed=part)
    ways: dict[str, Callable[[Path, Path, Path], float]] = {"one process": alone}
    ways |= {"Ray Data": on_ray} if find_spec("ray") else {}
    ways |= {"Dask": on_dask} if find_spec("dask") and find_spec("distributed") else {}
    lines, first = [], 0.0
    for name, way in ways.items():
        spent = way(bundle, table, folder / f"answers of {name}")
        first = first or rows / spent
        case = f"{rows} rows of numbers and text, {name}"
        given = {"command": "python -m bench.bundle clusters", "seconds": spent}
        anchor = "" if name == "one process" else f"{rows / spent / first:.2f} x one process"
        lines.append(Line(case, "rows/s", rows / spent, anchor=anchor, **given))
    return lines


def alone(bundle: Path, table: Path, out: Path) -> float:
    """One process that streams."""
    return process(
        "-m", "modalloy", "predict", bundle, table, "-o", out.with_suffix(".parquet")
    ).wall_s


def on_ray(bundle: Path, table: Path, out: Path) -> float:
    """Ray Data, two workers, the time of its start not counted."""
    import ray

    from modalloy import runtime

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    start, answer = time.perf_counter(), runtime.answerer(bundle, threads=1)
    rows = ray.data.read_parquet(str(table))
    rows.map_batches(answer, batch_format="pyarrow", batch_size=8192).write_parquet(str(out))
    spent = time.perf_counter() - start
    ray.shutdown()
    return spent


def on_dask(bundle: Path, table: Path, out: Path) -> float:
    """Dask, two workers of one thread, the time of its start not counted."""
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    from modalloy import runtime

    given = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**given) as cluster, Client(cluster):
        start, answer = time.perf_counter(), runtime.answerer(bundle, threads=1)
        dd.read_parquet(str(table)).map_partitions(answer).to_parquet(str(out), schema=None)
        return time.perf_counter() - start


# --- what is asked ------------------------------------------------------------------------------


def notes_bundle(folder: Path) -> Path:
    """A bundle over two numbers and a text, trained here."""
    rows = parts(folder, 200)
    columns = {"load": {"type": "number"}, "speed": {"type": "number"}, "note": {"type": "text"}}
    return bundle_of(folder, rows, columns)


def bundle_of(folder: Path, rows: pd.DataFrame, columns: dict[str, dict[str, Any]]) -> Path:
    """A bundle over these columns, trained for one epoch."""
    import modalloy as ma

    rows.to_parquet(folder / "parts.parquet", index=False)
    job = {
        "table": str(folder / "parts.parquet"),
        "columns": columns,
        "split": {"random": "stratified", "test": 0.15, "validation": 0.15},
        "fuse": {"type": "attention", "width": 64, "heads": 4},
        "tasks": {"fault": {"type": "classify", "target": "fault"}},
        "train": {"epochs": 1, "batch": 16},
        "blend": {"use": "never"},
    }
    run = ma.train(job, out=folder / "run", quiet=True)
    ma.export(run, folder / "model.zip", quiet=True)
    return folder / "model.zip"


def parts(folder: Path, rows: int, *, photos: bool = False, seed: int = 0) -> pd.DataFrame:
    """Made-up parts: `load`, `speed`, a `note`, whether there is a `fault`, and a `photo`."""
    draw = np.random.default_rng(seed)
    bad = draw.random(rows) < 0.5
    words = draw.choice(WORDS, (rows, 8))
    notes = [
        " ".join(w[: 3 + i % 6]) + (" crack" if b else "")
        for i, (w, b) in enumerate(zip(words, bad, strict=True))
    ]
    frame = pd.DataFrame(
        {"load": draw.normal(8 + 4 * bad), "speed": draw.normal(size=rows), "note": notes}
    )
    frame["fault"] = np.where(bad, "crack", "ok")
    if photos:
        from PIL import Image

        for i in range(rows):
            grey_HW = draw.normal(150 if bad[i] else 60, 12, (64, 64)).clip(0, 255)
            Image.fromarray(grey_HW.astype(np.uint8)).save(folder / f"{i}.png")
        frame["photo"] = [f"{i}.png" for i in range(rows)]
    return frame


def write_table(path: Path, rows: int, *, seed: int = 0) -> None:
    """So many made-up parts as Parquet, some at a time."""
    with writing(path) as write:
        for start in range(0, rows, GROUP):
            some = parts(path.parent, min(GROUP, rows - start), seed=seed * 10_000 + start)
            write(pa.Table.from_pandas(some.drop(columns="fault"), preserve_index=False))


@contextmanager
def writing(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """What takes one table after another into a Parquet file."""
    writers: list[pq.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not writers:
            writers.append(pq.ParquetWriter(path, table.schema))
        writers[0].write_table(table)

    yield write
    writers[0].close()


def process(*words: str | Path) -> Run:
    """A Python of its own, to its end."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.DEVNULL)
    # What the system counts of a process that has ended holds its parent's memory as well.
    most, done = 0.0, 0
    while not done:
        most = max(most, held_mb(child.pid))
        time.sleep(0.02)
        done, status, used = os.wait4(child.pid, os.WNOHANG)
    assert status == 0, f"{words}: ended with {status}"
    child.returncode = 0
    return Run(time.perf_counter() - start, used.ru_utime + used.ru_stime, most)


def held_mb(process: int) -> float:
    """The most memory that a process has held so far; 0 where it has just ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) / 1024 if lines else 0.0


def size_mb(path: Path) -> float:
    """How large a file is."""
    return path.stat().st_size / 2**20


if __name__ == "__main__":
    main()
