"""Both heads of `locate` on boards and drawn scenes, and localisation beside text in one model.

    python -m bench.locate [deeppcb] [scenes] [joint] [--epochs N] [--rows N] [--data FOLDER]

deeppcb: 256 pixels a side and 10 passes, so that each head is to take at most 15 minutes on one
core; figures on all 500 official test rows. scenes: drawn here (`scenes.py`), 800
rows of 64 pixels a side. joint: the same scenes with a note each; the job with both tasks against
the two jobs with one. Writes bench/results/locate.json and the table of docs/locate.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.line import Line, publish
from bench.shared_sets import default_data
from modalloy.machine.limits import rest_soon

CASES = ("deeppcb", "scenes", "joint")
EPOCHS = {"deeppcb": 10, "scenes": 40, "joint": 40}
ROWS = {"deeppcb": 1000, "scenes": 800, "joint": 800}
LIMIT_S = 900
LOST = 2.0  # points that a task may lose beside another one


def main() -> None:
    """Measure the cases asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.locate")
    parser.add_argument("cases", nargs="*", metavar="|".join(CASES))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--no-publish", action="store_true")
    args = parser.parse_args()
    rest_soon()
    lines: list[Line] = []
    for case in args.cases or CASES:
        epochs, rows = args.epochs or EPOCHS[case], args.rows or ROWS[case]
        if case == "deeppcb" and not (args.data / case).is_dir():
            print(f"No {case} at {args.data}; give its folder with --data.", file=sys.stderr)
            continue
        found = boards(args.data, epochs, rows) if case == "deeppcb" else drawn(case, epochs, rows)
        lines += found
        for line in found:
            print(line, flush=True)
        if not args.no_publish:
            publish("locate", found, "locate.md")


def boards(data: Path, epochs: int, rows: int) -> list[Line]:
    """Both heads on deeppcb."""
    from bench.locate.cases import HEADS, deeppcb
    from bench.training import train_job

    lines = []
    for head in HEADS:
        found = train_job(deeppcb(data, head, epochs), rows=rows)
        figures = found.figures["defects"]
        command = "python -m bench.locate deeppcb"
        case = f"deeppcb, {head}"
        fits = found.seconds <= LIMIT_S
        goal = f"in {LIMIT_S // 60} minutes"
        lines += [
            Line(case, "mAP50", figures["map50"], None, "", goal, fits, found.seconds, command),
            Line(case, "mAP50-95", figures["map50_95"], seconds=found.seconds, command=command),
            Line(case, "ms a row", 1000 * found.answering, command=command),
        ]
    return lines


def drawn(case: str, epochs: int, rows: int) -> list[Line]:
    """Both heads on drawn scenes; or both tasks against each alone."""
    from bench.locate.scenes import draw_scenes

    with tempfile.TemporaryDirectory() as place:
        table = draw_scenes(Path(place), rows, seed=0)
        return two_heads(table, epochs) if case == "scenes" else joint(table, epochs)


def two_heads(table: Path, epochs: int) -> list[Line]:
    """mAP of both heads."""
    from bench.locate.cases import HEADS, scenes
    from bench.training import train_job

    lines, command = [], "python -m bench.locate scenes"
    for head in HEADS:
        found = train_job(scenes(table, ("things",), head, epochs))
        figures, case = found.figures["things"], f"scenes, {head}"
        lines += [
            Line(case, "mAP50", figures["map50"], seconds=found.seconds, command=command),
            Line(case, "mAP50-95", figures["map50_95"], seconds=found.seconds, command=command),
            Line(case, "ms a row", 1000 * found.answering, command=command),
        ]
    return lines


def joint(table: Path, epochs: int) -> list[Line]:
    """Each task beside the other, and alone."""
    from bench.locate.cases import scenes
    from bench.training import train_job

    both = train_job(scenes(table, ("things", "topic"), "dense", epochs))
    lines = []
    for task, metric, name in (("things", "map50", "mAP50"), ("topic", "accuracy", "accuracy")):
        alone = train_job(scenes(table, (task,), "dense", epochs))
        value, before = both.figures[task][metric], alone.figures[task][metric]
        lines.append(
            Line(
                f"joint, {task}",
                name,
                value,
                anchor=f"{before:.3f} alone, {alone.seconds:.0f} s",
                goal=f"at most {LOST:g} points below",
                reached=100 * (before - value) <= LOST,
                seconds=both.seconds,
                command="python -m bench.locate joint",
            )
        )
    return lines


if __name__ == "__main__":
    main()
