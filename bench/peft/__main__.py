"""`python -m bench.peft`: full fine-tuning beside its small relatives on 500 labels.

    python -m bench.peft [--sets banking77 elpv maintie] [--methods ...] [--work FOLDER] [--again]

Each cell (set, method, seed) runs in a process of its own and is written as it ends; cells that are
there already are not run again. `--shrink 0.05` tries everything in seconds and writes nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.line import Line, publish
from bench.peft.cases import CASES, METHODS
from bench.shared_sets import default_data

PAGE = "adapters.md"
CELLS = Path(__file__).parent.parent / "results" / "peft_cells.json"
COMMAND = "python -m bench.peft"
ENOUGH, SMALL = 0.98, 0.03  # of full fine-tuning's score, with so much of its parameters


def main() -> None:
    options = parse()
    if options.cell:
        name, method, seed = options.cell
        from bench.peft.cell import run_cell

        given = (name, method, int(seed), options.data, options.work, options.shrink)
        print(json.dumps(run_cell(*given)))
        return
    cells = [] if options.shrink < 1 else read_cells()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        for name, method, seed in wanted(options):
            if not options.again and known(cells, name, method, seed):
                continue
            cell = ask(name, method, seed, options, work)
            print(told(cell), flush=True)
            cells = [c for c in cells if key(c) != key(cell)] + [cell]
            if options.shrink >= 1:
                CELLS.write_text(json.dumps(cells, indent=1) + "\n")
                publish("peft", lines(cells), PAGE)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--work", type=Path, help="keeps what the heads have learned")
    parser.add_argument("--again", action="store_true", help="run cells that are there already")
    parser.add_argument("--shrink", type=float, default=1.0)
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)  # set, method, seed
    return parser.parse_args()


def wanted(options: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Every cell that is asked for, one seed after the other."""
    seeds = sorted({seed for name in options.sets for seed in CASES[name].seeds})
    return [
        (name, method, seed)
        for seed in seeds
        for name in options.sets
        if seed in CASES[name].seeds
        for method in options.methods
    ]


def ask(name: str, method: str, seed: int, options: argparse.Namespace, work: Path) -> dict:
    """One cell, in a process of its own."""
    command = [
        sys.executable, "-m", "bench.peft", "--cell", name, method, str(seed),
        "--data", str(options.data), "--work", str(work), "--shrink", str(options.shrink),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def key(cell: dict) -> tuple[str, str, int]:
    """What a cell is known by."""
    return cell["set"], cell["method"], cell["seed"]


def known(cells: list[dict], name: str, method: str, seed: int) -> bool:
    """Whether a cell is there already."""
    return any(key(cell) == (name, method, seed) for cell in cells)


def read_cells() -> list[dict]:
    """The cells of earlier runs."""
    return json.loads(CELLS.read_text()) if CELLS.is_file() else []


def told(cell: dict) -> str:
    """A cell on a line."""
    return (
        f"{cell['set']:<10} {cell['method']:<8} seed {cell['seed']}  {cell['metric']} "
        f"{cell['score']:.3f}  {share(cell):.2%} learn  {cell['file_kb']:.0f} KB  "
        f"{cell['seconds']:.0f} s  {cell['peak_mb']:.0f} MB"
    )


def share(cell: dict) -> float:
    """The share of all numbers that learns."""
    return cell["learning"] / cell["parameters"]


def lines(cells: list[dict]) -> list[Line]:
    """A line a set and method, means over seeds; and one a set that says what was asked."""
    found = []
    for name in CASES:
        mine = [c for c in cells if c["set"] == name]
        scores = {m: mean_of(mine, m, "score") for m in METHODS if of(mine, m)}
        full = scores.get("full")
        for method, score in scores.items():
            found.append(line_of(name, method, of(mine, method), score, full))
        small = {m: s for m, s in scores.items() if max(map(share, of(mine, m))) <= SMALL}
        small.pop("head", None)
        if full and small:
            best = max(small, key=small.__getitem__)
            found.append(
                Line(
                    f"{name}, best of those where at most 3 % learn",
                    "share of full fine-tuning",
                    small[best] / full,
                    anchor=f"{best}",
                    goal=f">= {ENOUGH:g}",
                    reached=small[best] / full >= ENOUGH,
                    seconds=sum(c["seconds"] for c in mine),
                    command=COMMAND,
                )
            )
    return found


def line_of(name: str, method: str, some: list[dict], score: float, full: float | None) -> Line:
    """One method on one set."""
    costs = (
        f"{share(some[0]):.2%} learn, file {some[0]['file_kb']:.0f} KB, "
        f"{max(c['peak_mb'] for c in some):.0f} MB"
    )
    beside = f"{score / full:.3f} of full; " if full and method != "full" else ""
    spread = ", ".join(f"{c['score']:.3f}" for c in some)
    return Line(
        f"{name}, {method}",
        some[0]["metric"],
        score,
        anchor=f"{beside}seeds {spread}; {costs}",
        seconds=sum(c["seconds"] for c in some) / len(some),
        command=COMMAND,
    )


def of(cells: list[dict], method: str) -> list[dict]:
    """The cells of a method."""
    return [c for c in cells if c["method"] == method]


def mean_of(cells: list[dict], method: str, figure: str) -> float:
    """The mean of a figure over the seeds of a method."""
    some = [c[figure] for c in of(cells, method)]
    return sum(some) / len(some)


if __name__ == "__main__":
    main()
