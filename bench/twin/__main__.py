"""What designs, settings and twins are worth.

    python -m bench.twin [bracket] [as_built] [active] [weld] [bike] [--seeds 3] [--dry]
                         [--data FOLDER]

Writes bench/results/twin.json and the table of docs/twin.md after each case.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modalloy.machine.limits import rest_soon

if TYPE_CHECKING:
    from bench.line import Line

CASES = ("bracket", "as_built", "active", "weld", "bike")
PAGE = "twin.md"


def main() -> None:
    """Measure what is asked for."""
    from bench.line import publish, table
    from bench.shared_sets import default_data

    parser = argparse.ArgumentParser(prog="python -m bench.twin")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    args = parser.parse_args()
    seeds = range(args.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for case in args.cases or CASES:
            lines = measured(case, seeds, args.data, folder)
            print(table(lines if args.dry else publish("twin", lines, PAGE)), flush=True)


def measured(case: str, seeds: Sequence[int], data: Path, folder: Path) -> "list[Line]":
    """The lines of one case."""
    match case:
        case "bracket":
            from bench.twin.bracket import bracket_lines

            return bracket_lines(seeds, folder)
        case "as_built":
            from bench.twin.as_built import as_built_lines

            return as_built_lines(seeds, folder)
        case "active":
            from bench.twin.active import active_lines

            return active_lines(seeds, folder)
        case "weld":
            from bench.twin.weld import weld_lines

            return weld_lines(seeds, folder)
        case _:
            from bench.twin.bike import bike_lines

            if data.is_dir():
                return bike_lines(seeds, data, folder)
            print(f"bike: there is no folder {data} with the public set bike_frames")
            return []


if __name__ == "__main__":
    rest_soon()
    main()
