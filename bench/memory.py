"""Rows in, the peak memory of walking a table of that many rows out, as one line of JSON.

    python bench/memory.py [--rows 1000000] [--spool-above-mb 256]

The table has eight numbers, a text and a list of 64 numbers in each row: about 400 bytes. It is
written by another process, so that only reading counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modalloy.table.open_table import open_table
from modalloy.table.table import Table

GROUP_ROWS = 50_000
BATCH_ROWS = 4096
NUMBERS = 8
SAMPLES = 64


def main() -> None:
    options = parse()
    if options.write is not None:
        write(options.write, options.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.parquet"
        command = [sys.executable, __file__, "--rows", str(options.rows), "--write", str(path)]
        subprocess.run(command, check=True)
        print(json.dumps(measure(path, options.spool_above_mb)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--spool-above-mb", type=float, default=256)
    parser.add_argument("--write", type=Path, help="only write the synthetic table there")
    return parser.parse_args()


def write(path: Path, rows: int) -> None:
    """The synthetic table, one row group at a time."""
    draw = np.random.default_rng(0)
    writer = None
    for start in range(0, rows, GROUP_ROWS):
        count = min(GROUP_ROWS, rows - start)
        columns = {f"x{i}": draw.normal(size=count) for i in range(NUMBERS)}
        columns["note"] = [f"part {start + i}: bearing {i % 97} is worn" for i in range(count)]
        samples = draw.normal(size=count * SAMPLES).astype(np.float32)
        columns["series"] = pa.FixedSizeListArray.from_arrays(samples, SAMPLES)
        group = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, group.schema)
        writer.write_table(group)
    if writer is not None:
        writer.close()


def measure(path: Path, spool_above_mb: float) -> dict[str, float]:
    """Open the table, walk all of it in batches, then take random rows."""
    before = peak_mb()
    start = time.perf_counter()
    table = open_table(path, spool_above_mb=spool_above_mb)
    opened, opened_mb = time.perf_counter(), peak_mb()
    for first in range(0, table.rows, BATCH_ROWS):
        table.take(table.columns, np.arange(first, min(first + BATCH_ROWS, table.rows)))
    walked = time.perf_counter()
    return {
        "rows": table.rows,
        "file_mb": round(path.stat().st_size / 2**20),
        "held_mb": round(table.row_bytes * table.rows / 2**20),
        "rss_after_import_mb": round(before),
        "rss_after_open_mb": round(opened_mb),
        "peak_rss_mb": round(peak_mb()),
        "open_s": round(opened - start, 1),
        "walk_s": round(walked - opened, 1),
        "rows_per_s": round(table.rows / (walked - opened)),
        "cells_ms": round(random_cells_ms(table, "x0"), 2),
        "text_cells_ms": round(random_cells_ms(table, "note"), 2),
        "series_cells_ms": round(random_cells_ms(table, "series"), 2),
    }


def random_cells_ms(table: Table, column: str) -> float:
    """Median milliseconds to take 300 random cells of one column."""
    draw = np.random.default_rng(0)
    times = []
    for _ in range(50):
        rows = draw.integers(0, table.rows, 300)
        start = time.perf_counter()
        table.cells(column, rows)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def peak_mb() -> float:
    """Largest memory of this process so far; macOS counts bytes, Linux kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
