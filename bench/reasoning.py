"""easy_vqa: picture alone, question alone, both, and each dealt out among the rows.

    python -m bench.reasoning [--rows 4000] [--tests 2000] [--epochs 12] [--data FOLDER]

One model, trained on some of the rows and asked with either input hidden, and with pictures or
questions of other rows: what it gains by both must be gone then. Writes
bench/results/reasoning.json and the table of docs/reasoning.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.line import Line, publish
from bench.shared_sets import default_data
from modalloy.machine.limits import rest_soon

SLACK = 0.02  # that pictures of other rows may be better than none


def job_of(data: Path, epochs: int) -> dict[str, Any]:
    """A small network for picture and question, both trained here."""
    return {
        "table": str(data / "easy_vqa" / "table.parquet"),
        "split": {"column": "split"},
        "columns": {
            "image": {"type": "image", "pixels": 48, "augment": "none"},
            "question": {"type": "text", "max_tokens": 24, "vocabulary": 256},
        },
        "tasks": {"answer": {"type": "classify", "target": "answer"}},
        "fuse": {"type": "multilinear"},
        "train": {"epochs": epochs, "batch": 64, "patience": epochs, "precision": "float32"},
    }


def main() -> None:
    """Train once, ask five times."""
    parser = argparse.ArgumentParser(prog="python -m bench.reasoning")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--no-publish", action="store_true")
    args = parser.parse_args()
    if not (args.data / "easy_vqa").is_dir():
        sys.exit(f"No easy_vqa at {args.data}; give its folder with --data.")
    rest_soon()
    lines = measure(args)
    for line in lines:
        print(line)
    if not args.no_publish:
        publish("reasoning", lines, "reasoning.md")


def measure(args: argparse.Namespace) -> list[Line]:
    """Accuracy of each way to ask."""
    from bench.training import judge, learn
    from modalloy.answer.answers import EVERYTHING
    from modalloy.answer.dealt import DealtLoader, deal
    from modalloy.answer.network import answer_rows

    learned = learn(job_of(args.data, args.epochs), rows=args.rows, tests=args.tests)
    model, loader, which = learned.model, learned.loader, learned.test
    ways = {
        "picture and question": EVERYTHING,
        "picture alone": frozenset({"question"}),
        "question alone": frozenset({"image"}),
    }
    seen = answer_rows(model, loader, which, hidden=list(ways.values())).seen
    answers = {way: seen[hidden] for way, hidden in ways.items()}
    other_N = deal(which, loader.table.rows, 0)
    for name, called in (("image", "pictures"), ("question", "questions")):
        dealt = DealtLoader(loader, [name], other_N)
        answers[f"{called} of other rows"] = answer_rows(model, dealt, which).seen[EVERYTHING]
    found = {way: judge(learned, a)["answer"]["accuracy"] for way, a in answers.items()}
    command = f"python -m bench.reasoning --rows {args.rows} --tests {args.tests}"
    command += f" --epochs {args.epochs}"
    limits = {
        "pictures of other rows": found["question alone"],
        "questions of other rows": found["picture alone"],
    }
    lines = []
    for way, value in found.items():
        given: dict[str, Any] = {}
        if way in limits:
            given["goal"] = f"at most {SLACK:g} above {limits[way]:.3f}"
            given["reached"] = value <= limits[way] + SLACK
        seconds = learned.seconds
        lines.append(
            Line(f"easy_vqa, {way}", "accuracy", value, seconds=seconds, command=command, **given)
        )
    return lines


if __name__ == "__main__":
    main()
