"""What designs, settings and twins are worth.

    python -m bench.twin [bracket] [as_built] [weld] [bike] [--seeds 3] [--data FOLDER] [--dry]

Writes bench/results/twin.json and the table of docs/twin.md after each case.
"""

import argparse
import tempfile
from pathlib import Path

from modalloy.machine.limits import rest_soon

CASES = ("bracket", "as_built", "weld", "bike")
PAGE = "twin.md"


def main() -> None:
    """Measure what is asked for."""
    from bench.line import Line, publish, table
    from bench.shared_sets import default_data
    from bench.twin.as_built import as_built_lines
    from bench.twin.bike import bike_lines
    from bench.twin.bracket import bracket_lines
    from bench.twin.weld import weld_lines

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
            lines: list[Line] = []
            if case == "bracket":
                lines = bracket_lines(seeds, folder)
            elif case == "as_built":
                lines = as_built_lines(seeds, folder)
            elif case == "weld":
                lines = weld_lines(seeds, folder)
            elif args.data.is_dir():
                lines = bike_lines(seeds, args.data, folder)
            else:
                print(f"bike: there is no folder {args.data} with the public set bike_frames")
            print(table(lines if args.dry else publish("twin", lines, PAGE)), flush=True)


if __name__ == "__main__":
    rest_soon()
    main()
