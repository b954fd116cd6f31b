"""How good the jobs are that `init` prints, on many tables: the board to choose defaults by.

    python -m bench.defaults [CASE ...] [--kind shared|holdout|series|generated] [--seeds N]
                             [--minutes-at-most N] [--runs FOLDER] [--data FOLDER] [--validation]

Every case is trained as `modalloy init TABLE --target ...` prints it, in a process of its own, and
compared with the hand-set job of the scoreboard, with the best simple method of its own report, and
with the seconds that it may take. The only edits are a split that `init` cannot know and columns
that the set's own catalogue says give the answer away; the board shows them.

Test rows choose nothing. Whoever changes a default looks at `--validation`, which never tests a
test row: validation rows stand in their place (a fifth of the training rows, another one for each
seed, where the table names none), and rows to stop by come from the training rows. Its figures go
to bench/results/defaults_validation.json and to the terminal. Those of test rows go to
bench/results/defaults.json and between the marks of docs/defaults.md, whose words around them are
written by hand and stay.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.apart import apart
from bench.defaults.case import KINDS, Case, LeftOutError, Places
from bench.defaults.cases import all_cases
from bench.defaults.lines import failed_lines, lines_of
from bench.defaults.table import goals_table, page
from bench.defaults.training import TooLong, Trained, train_once
from bench.shared_sets import BENCH, default_data
from bench.written import put_between_marks, put_lines
from modalloy.machine.limits import rest_soon

RESULTS = BENCH / "results" / "defaults.json"
CHOOSING = BENCH / "results" / "defaults_validation.json"
PAGE = BENCH.parent / "docs" / "defaults.md"


def main() -> None:
    """Run the cases asked for, or all, writing results after each."""
    rest_soon()  # for the processes that train
    args = parse()
    cases = all_cases(args.data)
    for unknown in set(args.cases) - set(cases):
        sys.exit(f"No case named {unknown}; there are {', '.join(cases)}.")
    wanted = [c for c in cases.values() if is_wanted(c, args)]
    results = CHOOSING if args.validation else RESULTS
    if not args.table:
        for case in wanted:
            lines = run_case(case, args)
            if lines:
                print(*map(json.dumps, lines), sep="\n", flush=True)
                put_lines(lines, results, key="case", order=list(cases))
    lines = json.loads(results.read_text()) if results.is_file() else []
    if args.validation:
        print(goals_table(lines))
    else:
        put_between_marks(page(lines, cases), PAGE)


def parse() -> argparse.Namespace:
    """The words of the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.defaults")
    parser.add_argument("cases", nargs="*", help="names of cases; all without")
    parser.add_argument("--kind", choices=KINDS, help="only cases of this kind")
    parser.add_argument("--seeds", type=int, default=1, help="seeds a case")
    parser.add_argument(
        "--minutes-at-most",
        type=float,
        help="leave out trainings that `check` estimates to take longer",
    )
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=Path, help="keep the run directories here")
    parser.add_argument("--validation", action="store_true", help="figures of validation rows")
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    return parser.parse_args()


def is_wanted(case: Case, args: argparse.Namespace) -> bool:
    """Whether a case was asked for by its name and its kind."""
    named = not args.cases or case.name in args.cases
    return named and args.kind in (None, case.kind)


def run_case(case: Case, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The lines of one case; none, and a sentence that says so, where it is left out."""
    more = " --validation" if args.validation else ""
    command = f"python -m bench.defaults {case.name} --seeds {args.seeds}{more}"
    trained: list[Trained] = []
    with tempfile.TemporaryDirectory(prefix="defaults-tables-") as made:
        places = Places(args.data, Path(made))
        for at in range(max(1, len(case.splits))):
            for seed in range(args.seeds):
                try:
                    found = apart(
                        train_once,
                        case,
                        at,
                        seed,
                        places,
                        args.runs,
                        most_minutes=args.minutes_at_most,
                        validation=args.validation,
                    )
                except LeftOutError as left:
                    print(f"left out: {left}.", file=sys.stderr, flush=True)
                    return []
                except Exception as error:  # whatever it is, the board must show it
                    why = " ".join(f"{type(error).__name__}: {error}".split())
                    return failed_lines(case, why, command)
                if isinstance(found, TooLong):
                    said = f"check estimates {found.said_minutes:.1f} minutes"
                    print(f"left out: {case.name}: {said}.", file=sys.stderr, flush=True)
                    return []
                trained.append(found)
    return lines_of(replace(case, anchors={}) if args.validation else case, trained, command)


if __name__ == "__main__":
    main()
