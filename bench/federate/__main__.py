"""What learning between sites gives and costs, on shared sets dealt out to five sites.

    python -m bench.federate [simulated] [compressed] [adapters] [columns] [poisoned] [matched]

Writes bench/results/federate.json and the table of docs/federate.md. One seed a case.
"""

import argparse
import sys
import time
from pathlib import Path

from modalloy.machine.limits import rest_soon

COMMAND = "python -m bench.federate"
PAGE = "federate.md"


def main() -> None:
    """Measure what is asked for."""
    from bench.federate.cases import CASES
    from bench.line import publish, table
    from bench.shared_sets import default_data

    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--data", type=Path, default=default_data())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    for name in args.cases or CASES:
        start = time.perf_counter()
        lines = list(CASES[name](args.data))
        seconds, command = time.perf_counter() - start, f"{COMMAND} {name}"
        lines = [line._replace(seconds=seconds, command=command) for line in lines]
        print(table(publish("federate", lines, PAGE)), flush=True)


if __name__ == "__main__":
    rest_soon()
    main()
