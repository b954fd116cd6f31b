"""Texts from rows: free-text answers to questions about pictures, and captions of products.

`python -m bench.generate [easy_vqa] [ikea]` trains a small decoder on each shared set and writes
`bench/results/generate.json` and the table of docs/generate.md. `--rows N` learns from so many rows
and judges as many, to try it; nothing is written then.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.line import Line, publish
from bench.shared_sets import default_data

PAGE = "generate.md"
GOAL = 0.95  # exact matches of easy_vqa
COPY = "text of the most alike training row"


class Set(NamedTuple):
    """A shared set: its table, its job, and the figure that it is about."""

    table: str
    job: dict[str, Any]
    metric: str


SETS = {
    "easy_vqa": Set(
        "easy_vqa/table.parquet",
        {
            "split": {"column": "split"},
            "columns": {
                "image": {"type": "image", "pixels": 32, "augment": "none"},
                "question": {
                    "type": "text",
                    "encoder": "minilm",
                    "tune": "frozen",
                    "max_tokens": 24,
                },
            },
            "fuse": {"type": "multilinear"},
            "tasks": {
                "answer": {
                    "type": "generate",
                    "target": "answer",
                    "vocabulary": 300,
                    "max_tokens": 8,
                }
            },
            "train": {"epochs": 10, "batch": 64},
        },
        "exact_match",
    ),
    "ikea": Set(
        "ikea_products/table.csv",
        {
            "split": {"column": "split"},
            "columns": {
                "image": {
                    "type": "image",
                    "encoder": "efficientnet_lite0",
                    "pixels": 192,
                    "tune": "frozen",
                    "augment": "none",
                },
                "size_text": {
                    "type": "text",
                    "encoder": "minilm",
                    "tune": "frozen",
                    "max_tokens": 48,
                },
                "main_room": {"type": "category"},
                "dim1_cm": {"type": "number", "unit": "cm"},
                "dim2_cm": {"type": "number", "unit": "cm"},
                "dim3_cm": {"type": "number", "unit": "cm"},
            },
            "tasks": {
                "caption": {
                    "type": "generate",
                    "target": "caption",
                    "vocabulary": 2000,
                    "max_tokens": 96,
                    "min_tokens": 20,
                    "search": "beam",
                }
            },
            "train": {"epochs": 30, "batch": 32, "patience": 8},
        },
        "chrf",
    ),
}


def main() -> None:
    """Train, judge and print; write only where all rows were used."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("sets", nargs="*", choices=[[], *SETS], default=[])
    given.add_argument("--rows", type=int)
    asked = given.parse_args()
    lines: list[Line] = []
    for name in asked.sets or SETS:
        lines += measure(name, SETS[name], default_data(), asked.rows)
        for line in lines:
            print(line, flush=True)
    if asked.rows is None:
        publish("generate", lines, PAGE)


def measure(name: str, one: Set, data: Path, rows: int | None) -> list[Line]:
    """The lines of one set."""
    import modalloy as ma
    from modalloy.judge.report import Report

    start = time.perf_counter()
    table: Any = str(data / one.table)
    if rows is not None:
        table = some_rows(table, rows)
    job = {"table": str(data / one.table), "allow_leak": True, **one.job}
    with tempfile.TemporaryDirectory() as folder:
        run = ma.train(job, table=table, out=Path(folder) / "run", quiet=True)
        report = Report.load(run.path / "report.json")
    (task,) = one.job["tasks"]
    seconds, figures = time.perf_counter() - start, report.tasks[task]
    command = f"python -m bench.generate {name}"
    lines = [
        Line(
            name,
            metric,
            figures[metric],
            tuple(figures["interval"][metric]),
            goal=f"at least {GOAL}" if metric == one.metric == "exact_match" else "",
            reached=figures[metric] >= GOAL if metric == one.metric == "exact_match" else None,
            seconds=seconds,
            command=command,
        )
        for metric in ("chrf", "bleu", "exact_match")
        if metric in figures
    ]
    for line, theirs in report.baselines[task].items():
        margin = theirs.get("margin")
        if margin is None or not line.startswith(COPY):
            continue
        low, high = margin["interval"]
        lines.append(
            Line(
                name,
                f"chrF above the {line}",
                margin["gain"],
                (low, high),
                anchor=f"it has {theirs['chrf']:.3f}",
                goal="above 0, the whole interval" if name == "ikea" else "",
                reached=low > 0 if name == "ikea" else None,
                seconds=seconds,
                command=command,
            )
        )
    return lines


def some_rows(table: str, rows: int) -> pd.DataFrame:
    """So many rows of each part, drawn by chance, with pictures in the cells."""
    whole = pd.read_parquet(table) if table.endswith(".parquet") else pd.read_csv(table)
    draw = np.random.default_rng(0)
    parts = [
        part.iloc[np.sort(draw.permutation(len(part))[:rows])]
        for _, part in whole.groupby("split", sort=False)
    ]
    frame = pd.concat(parts, ignore_index=True)
    folder = Path(table).parent
    return frame.assign(image=[(folder / p).read_bytes() for p in frame["image"]])


if __name__ == "__main__":
    from modalloy.machine.limits import rest_soon

    rest_soon()
    main()
