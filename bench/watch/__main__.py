"""How much drift `watch` finds, how often it is wrong, and how far off its estimates are.

    python -m bench.watch [drifts] [clean] [accuracy] [--data FOLDER] [--rounds 20] [--windows 200]

Four sets, one a kind of column: bike_frames (numbers), elpv (pictures), banking77 (texts),
cmapss_fd001 (channels of sensors). Of each, some hundred rows train a small model with frozen
encoders; the others, which it never saw, are looked at once, and once more with each drift, and
windows are drawn from what was seen. `drifts`: the share of windows of 500 drifted rows, beside
other rows without drift, in which the drifted column is named; `clean`: the share of windows that
raise any alarm where all rows, those of the reference too, are drawn anew from the same ones.
`accuracy`: excavators and shipments in time order, trained on the earliest rows; the rest in
windows of 300 as they came, each estimated without labels beside its true figure. Writes
bench/results/watch.json and the table of docs/verbs/watch.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from modalloy.machine.limits import rest_soon

COMMAND = "python -m bench.watch"


def main() -> None:
    """Measure what is asked for."""
    from bench.line import publish, table
    from bench.shared_sets import default_data
    from bench.watch.drifts import SETS
    from bench.watch.measure import PAGE, estimated, measured, timed

    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("parts", nargs="*", choices=["drifts", "clean", "accuracy", []])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--windows", type=int, default=200)
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    parts = args.parts or ["drifts", "clean", "accuracy"]
    with tempfile.TemporaryDirectory() as folder:
        if {"drifts", "clean"} & {*parts}:
            for one in SETS:
                given = (one, args.data, Path(folder))
                lines = timed(lambda g=given: measured(*g, parts, args.rounds, args.windows))
                print(table(publish("watch", lines, PAGE)), flush=True)
        if "accuracy" in parts:
            for name in ("excavators", "shipments"):
                place = Path(folder)
                lines = timed(lambda n=name, p=place: list(estimated(n, args.data, p)))
                print(table(publish("watch", lines, PAGE)), flush=True)


if __name__ == "__main__":
    rest_soon()
    main()
