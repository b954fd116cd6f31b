"""How long `pretrain` takes with its usual settings on rows of a picture, a text and numbers.

    python -m bench.pretraining_time [--rows 5000] [--threads 2] [--passes N]

Rows are drawn here: 48 pixels a side, eight words, three numbers. Says wall and processor seconds;
`--passes` ends earlier than usual, and says what all passes would take at that pace.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from modalloy.verbs import pretrain

WORDS = [f"{a}{b}" for a in ("valve", "pump", "seal", "shaft", "rotor") for b in range(40)]
PIXELS = 48


def main() -> None:
    """Draw the rows, learn from them, and say the seconds."""
    parser = argparse.ArgumentParser(prog="python -m bench.pretraining_time")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows_in(Path(folder), args.rows)
        job = job_of(Path(folder))
        if args.passes is not None:
            job["pretrain"] = {"epochs": args.passes}
        wall, processor = time.perf_counter(), time.process_time()
        run = pretrain(job, out=Path(folder) / "run", quiet=True)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        learned, epochs = run.notes["pretrained"], run.notes["epochs"]
    print(
        f"{learned['rows']} rows learned from by {', '.join(learned['methods'])}, {epochs} passes: "
        f"{wall:.0f} s, {processor:.0f} s of processors with {args.threads} threads"
    )


def rows_in(folder: Path, rows: int) -> None:
    """Write a table with its pictures."""
    draw = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    shade = draw.integers(60, 200, rows)
    for row in range(rows):
        noise = draw.normal(int(shade[row]), 20, (PIXELS, PIXELS, 3)).clip(0, 255)
        Image.fromarray(noise.astype(np.uint8)).save(folder / "pictures" / f"{row}.png")
    frame: dict[str, Any] = {"picture": [f"pictures/{row}.png" for row in range(rows)]}
    frame["note"] = [" ".join(draw.choice(WORDS, 8)) for _ in range(rows)]
    frame |= {name: draw.normal(shade, 5) for name in ("load", "heat", "speed")}
    pd.DataFrame(frame | {"part": "train", "fault": "no"}).to_parquet(folder / "table.parquet")


def job_of(folder: Path) -> dict[str, Any]:
    """All rows are learned from; nothing is chosen but what the columns are."""
    numbers = {name: {"type": "number"} for name in ("load", "heat", "speed")}
    return {
        "table": str(folder / "table.parquet"),
        "split": {"column": "part", "validation": 0, "test": 0},
        "columns": {
            "picture": {"type": "image", "pixels": PIXELS},
            "note": {"type": "text"},
            **numbers,
        },
        "tasks": {"fault": {"type": "classify", "target": "fault"}},
    }


if __name__ == "__main__":
    main()
