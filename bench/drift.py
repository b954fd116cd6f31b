"""What adapting without labels brings back of what drifting sensors cost.

    python -m bench.drift [SET ...] [--data FOLDER] [--runs FOLDER] [--rows 3000]

The scoreboard's jobs. Of each run, test rows as they are, and with half of the sensors' channels
changed: another gain (half to double), an offset (one to three deviations of training samples),
both; and with one channel dead (constant 0) or drowned in noise (five deviations). Each is answered
by the run as it is, and by the run after `adapt --without-labels` on the same rows without their
answers. A point is a hundredth of the task's first figure, of R² where it is a number. Recordings
are kept whole, at most `--rows` rows of them. Writes bench/results/drift.json and the table of
docs/verbs/adapt.md. Runs that are in the folder already are taken as they are; about ten minutes
otherwise.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.line import Line, publish, table
from bench.shared_sets import cheap_job, default_data
from modalloy.adaptation.figures import Answering, of_one
from modalloy.answer.predictor import Predictor
from modalloy.job import config
from modalloy.judge.figures import truth_of
from modalloy.judge.metrics.score import tally
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import Run, load_run
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.verbs import adapt, train

PAGE = "verbs/adapt.md"
COMMAND = "python -m bench.drift"
BACK, LOSE = 0.60, 0.5  # share of what drift cost, and points where nothing drifted
GAIN, OFFSET, NOISE = 2.0, (1.0, 3.0), 5.0
SETS = {"cmapss_fd001": "sensors", "tep": "process", "cwru": "vibration"}
RECORDINGS = {"cmapss_fd001": "id", "tep": "fault_run", "cwru": "id"}
Cell = Any
Change = Callable[[Cell], Cell]


class Drift(NamedTuple):
    """Changes of channels by their columns, under one name."""

    name: str
    changes: Mapping[str, Change]


def main() -> None:
    """Train what is not there yet, and drift it."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    with tempfile.TemporaryDirectory() as folder:
        runs = args.runs or Path(folder)
        for name in args.sets or SETS:
            start = time.perf_counter()
            run = run_of(name, args.data, runs)
            lines = list(judge(run, name, args.rows, Path(folder)))
            seconds = time.perf_counter() - start
            lines = [line._replace(seconds=seconds, command=COMMAND) for line in lines]
            publish("drift", lines, PAGE)
            print(table(lines), flush=True)


def run_of(name: str, data: Path, runs: Path) -> Run:
    """The run of a set, trained where it is not there."""
    if (runs / name / "run.json").is_file():
        return load_run(runs / name)
    return train(cheap_job(name, data), out=runs / name, quiet=True)


def judge(run: Run, name: str, most: int, folder: Path) -> Iterator[Line]:
    """Lines of one set."""
    frame = pd.read_parquet(run.job.table)
    parts = split_job(open_table(run.job.table), run.job)
    rows = whole_recordings(frame.iloc[parts.test], RECORDINGS[name], most)
    clean = points(run, rows)
    for drift in drifts(run, SETS[name], frame.iloc[parts.train]):
        odd = changed(rows, drift)
        place = folder / f"{name}-{drift.name}".replace(" ", "")
        blind = odd.drop(columns=[o.target for o in run.job.tasks.values()])
        adapted = adapt(run, blind, out=place, without_labels=True, quiet=True)
        before, after = points(run, odd), points(adapted, odd)
        said = f"{clean:.1f} points clean, {before:.1f} drifted, {after:.1f} adapted"
        if not drift.changes:
            given = (f"{name}, nothing drifted", "points lost", clean - after)
            yield Line(*given, anchor=said, goal=f"<= {LOSE}", reached=clean - after <= LOSE)
            continue
        cost = clean - before
        back = (after - before) / cost if cost > LOSE else None
        asked = drift.name == "gain + offset" and back is not None
        goal, reached = (f">= {BACK}", back >= BACK) if asked and back is not None else ("", None)
        case = f"{name}, {drift.name}"
        yield Line(case, "share brought back", back, anchor=said, goal=goal, reached=reached)


def whole_recordings(rows: pd.DataFrame, column: str, most: int) -> pd.DataFrame:
    """Recordings, drawn at random, until there are so many rows."""
    names = np.random.default_rng(0).permutation(rows[column].unique())
    counts = rows[column].value_counts()[names].cumsum()
    taken = names[: max(1, int((counts <= most).sum()))]
    return rows[rows[column].isin(taken)].reset_index(drop=True)


def points(run: Run, rows: pd.DataFrame) -> float:
    """The mean figure of a run's tasks on these rows, in points."""
    predictor = Predictor(run)
    loader, _ = predictor.open(open_table(rows), answers=True)
    every = np.arange(len(rows))
    answers = Answering(predictor.model, predictor.blend, run.stages).answers(loader, every)
    truths = truth_of(loader, every)
    found = [
        tally(o, truths[t], answers[t], names_of(loader.targets[t])).score()[of_one(o)]
        for t, o in run.job.tasks.items()
    ]
    return 100.0 * float(np.mean(found))


def drifts(run: Run, column: str, train_rows: pd.DataFrame) -> Iterator[Drift]:
    """What may happen to the channels of a series, nothing first."""
    options = run.job.columns[column]
    assert isinstance(options, config.Series), "SETS names the column of sensors"
    channels = list(options.channels or (column,))
    draw = np.random.default_rng(1)
    some = sorted(draw.permutation(channels)[: (len(channels) + 1) // 2])
    spread = {c: deviation(train_rows[c]) for c in channels}
    gain = {c: float(GAIN ** draw.choice([-1, 1])) for c in some}
    far = {c: float(draw.uniform(*OFFSET) * draw.choice([-1, 1])) * spread[c] for c in some}
    yield Drift("nothing drifted", {})
    yield Drift("gain", {c: lambda x, g=gain[c]: g * x for c in some})
    yield Drift("offset", {c: lambda x, o=far[c]: x + o for c in some})
    both = {c: lambda x, g=gain[c], o=far[c]: g * x + o for c in some}
    yield Drift("gain + offset", both)
    one = some[0]
    yield Drift(f"{one} dead", {one: lambda x: 0.0 * x})
    noise = NOISE * spread[one]
    yield Drift(f"{one} noise", {one: lambda x: x + noise * draw.normal(size=np.shape(x))})


def deviation(cells: pd.Series) -> float:
    """The deviation of a channel's samples in some training rows."""
    known = [np.atleast_1d(np.asarray(x, dtype=float)) for x in cells.dropna().head(500)]
    return float(np.concatenate(known).std())


def changed(rows: pd.DataFrame, drift: Drift) -> pd.DataFrame:
    """The rows with these channels changed, cell by cell."""
    cells = {c: [drifted(x, change) for x in rows[c]] for c, change in drift.changes.items()}
    return rows.assign(**cells)


def drifted(cell: Cell, change: Change) -> Cell:
    """A cell of samples, or a single number, changed; an empty one stays empty."""
    if cell is None or (np.ndim(cell) == 0 and np.isnan(cell)):
        return None
    found = change(np.asarray(cell, dtype=float))
    return float(found) if np.ndim(cell) == 0 else found


if __name__ == "__main__":
    main()
