"""Our training against a plain loop, in rows a second: interleaved runs, ratios of medians.

    python -m bench.train_speed [--rounds 5]

The plain loop is what most people write: the whole text padded to its maximum length (or the
picture decoded anew every time), eager float32, nothing cached, the same pretrained encoder, the
same batch, the same AdamW. Both sides train on the same rows; figures are training rows a second.

Before its first step our training may time three steps of each number type and memory layout
(`precision: auto`), for at most about a fiftieth of the training: in cases as short as these not at
all. What earlier trainings on this machine found is not used. `ratio` compares the training steps
alone; `probe_s` says how long the trials took, and `ratio_with_probe` is the ratio for this whole
short training, the trials included.

    text fine-tune    MiniLM, all weights, 64 tokens at most          wanted: at least 2.5 times
    frozen encoder    MiniLM, head only, ten epochs                    wanted: at least 8 times
    picture fine-tune EfficientNet-lite0, all weights, 160 pixels      wanted: at least 1.2 times
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from bench.train_speed.ours import ours_frozen, ours_picture, ours_text
from bench.train_speed.plain import plain_frozen, plain_picture, plain_text
from bench.train_speed.same import Run
from modalloy.machine.limits import cores

RESULTS = Path(__file__).parent.parent / "results" / "train_speed.json"
WORDS = ["pump", "bearing", "seal", "motor", "valve", "leak", "noise", "hot", "replaced", "oil"]


class Timing(NamedTuple):
    """One run: rows trained, seconds of the training steps, seconds of the probe before them."""

    rows: int
    steps_s: float
    probe_s: float = 0.0

    @property
    def rate(self) -> float:
        """Training rows a second of the steps alone."""
        return self.rows / self.steps_s

    @property
    def whole_rate(self) -> float:
        """Training rows a second of the whole training, the probe included."""
        return self.rows / (self.steps_s + self.probe_s)


CASES: dict[str, tuple[str, int, float]] = {
    "text fine-tune": ("text", 512, 2.5),
    "frozen encoder, ten epochs": ("frozen", 256, 8.0),
    "picture fine-tune": ("picture", 128, 1.2),
}


def main() -> None:
    """Measure the three cases and write bench/results/train_speed.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.train_speed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, help="rows of each case: a trial, nothing is written")
    args = parser.parse_args()
    torch.set_num_threads(cores())
    sides: dict[str, tuple[Run, Run]] = {
        "text": (ours_text, plain_text),
        "frozen": (ours_frozen, plain_frozen),
        "picture": (ours_picture, plain_picture),
    }
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (case, rows, wanted) in CASES.items():
            table = write_table(Path(folder) / case, args.rows or rows, pictures=case == "picture")
            ours, plain = sides[case]
            pairs = [(measure(ours, table), measure(plain, table)) for _ in range(args.rounds)]
            results.append(line(name, wanted, pairs))
            print(json.dumps(results[-1]), flush=True)
    if not args.rows:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def line(name: str, wanted: float, pairs: list[tuple[Timing, Timing]]) -> dict[str, Any]:
    """One case: medians over the interleaved pairs of ours and the plain loop, and their ratios."""
    ours, plain = ([p[k] for p in pairs] for k in (0, 1))
    a, b = (statistics.median(t.rate for t in side) for side in (ours, plain))
    whole = statistics.median(t.whole_rate for t in ours)
    return {
        "case": name,
        "ours_rows_per_s": round(a, 1),
        "plain_rows_per_s": round(b, 1),
        "ratio": round(a / b, 2),
        "probe_s": round(statistics.median(t.probe_s for t in ours), 1),
        "ratio_with_probe": round(whole / b, 2),
        "wanted": wanted,
        "rounds": len(pairs),
        "command": f"python -m bench.train_speed --rounds {len(pairs)}",
    }


def measure(run: Run, table: Path) -> Timing:
    """One training; loading tables and weights is timed on neither side, the probe on its own."""
    work = run(table)
    next(work)  # everything is loaded
    start = time.perf_counter()
    rows, probe_s = next(work)
    return Timing(rows, time.perf_counter() - start - probe_s, probe_s)


def write_table(folder: Path, rows: int, *, pictures: bool) -> Path:
    """Short work orders of 4 to 40 words, lengths as real ones vary, or 300 px pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    records: list[dict[str, Any]] = []
    for row in range(rows):
        record: dict[str, Any] = {"label": f"c{row % 4}"}
        if pictures:
            grey = np.random.default_rng(row).normal(90 + 30 * (row % 4), 20, (300, 300))
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{row}.jpg")
            record["photo"] = f"{row}.jpg"
        else:
            record["note"] = " ".join(draw.choices(WORDS, k=int(draw.lognormvariate(2.4, 0.5)) + 3))
        records.append(record)
    path = folder / "table.csv"
    pd.DataFrame(records).to_csv(path, index=False)
    return path


if __name__ == "__main__":
    main()
