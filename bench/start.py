"""How long a user waits for the first answer: help, import, and a check of 5,000 pictures.

    python -m bench.start [--rounds 5] [--pictures 5000]

Each in a process of its own; medians over interleaved rounds, the check once a round. Writes
bench/results/start.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "start.json"
SIDE = 160  # pixels of the pictures
JOB = """\
table: table.csv
split: {column: split, validation: 0}
columns:
  photo: {type: image}
tasks:
  label: {type: classify, target: label}
"""
WANTED = {"modalloy --help": 0.6, "import modalloy": 0.3, "modalloy check": 20.0}  # seconds


def main() -> None:
    """Time all commands in turn, as often as asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.start")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=5000)
    args = parser.parse_args()
    took: dict[str, list[float]] = {name: [] for name in WANTED}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_job(folder, args.pictures)
        commands = {
            "modalloy --help": ["-m", "modalloy", "--help"],
            "import modalloy": ["-c", "import modalloy, sys; assert 'torch' not in sys.modules"],
            "modalloy check": ["-m", "modalloy", "check", "job.yaml"],
        }
        for _ in range(args.rounds):
            for name, command in commands.items():
                took[name].append(seconds_of(command, folder))
    lines = [line(name, took[name], args) for name in WANTED]
    for told in lines:
        print(json.dumps(told))
    RESULTS.write_text(json.dumps(lines, indent=1) + "\n")


def line(name: str, took: list[float], args: argparse.Namespace) -> dict:
    """One command: its median beside what is wanted, and how to time it again."""
    return {
        "command_timed": name,
        "seconds": round(statistics.median(took), 2),
        "wanted": WANTED[name],
        "pictures": args.pictures,
        "rounds": len(took),
        "command": f"python -m bench.start --rounds {len(took)} --pictures {args.pictures}",
    }


def write_job(folder: Path, pictures: int) -> None:
    """A table of random JPEG files, every fifth of them a test row."""
    draw = np.random.default_rng(0)
    rows = ["photo,label,split"]
    for row in range(pictures):
        pixels = draw.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(folder / f"{row}.jpg")
        rows.append(f"{row}.jpg,c{row % 4},{'train' if row % 5 else 'test'}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    (folder / "job.yaml").write_text(JOB)


def seconds_of(command: list[str], folder: Path) -> float:
    """Seconds of one Python process; its fault is ours."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
