"""The whole way of `watch`: rows of a table beside those that a run knows; sentences and a page."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import Bundle
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.machine.files import write_safely
from modalloy.observing.look import spread_over
from modalloy.observing.reference import Reference
from modalloy.table.table import Table
from modalloy.watching.beside import Beside, compare_beside
from modalloy.watching.compared import Looked, look_at, promised
from modalloy.watching.comparisons import FEWEST, LEVEL, Comparison, alarms_in, comparisons_of
from modalloy.watching.drifts import Window, drifts_of
from modalloy.watching.estimates import estimates_of
from modalloy.watching.known import known_rows
from modalloy.watching.page import watch_page
from modalloy.watching.streams import LEVEL as STREAM_LEVEL
from modalloy.watching.streams import streams_of
from modalloy.watching.watched import Watched
from modalloy.watching.words import say_agreed

MOST = 2000  # rows that are looked at
PAGE = "watched.html"


def watch_run(
    predictor: Predictor,
    table: Table,
    *,
    time: str | None = None,
    most: int = MOST,
    out: Path | None = None,
    beside: Predictor | None = None,
    usual: Table | None = None,
) -> Watched:
    """Compare rows with those that a run or bundle knows, and write the page where `out` says.

    time: the column by which rows are ordered; the job's own for None, else the table's order,
    which then counts as no time. most: rows that are looked at, evenly spread. beside: another run
    whose answers are compared with this one's, row by row; usual: rows of which nothing has
    changed, for that, where they are not the run's own held-back ones.
    TableError for a table without a row or without any column of the run; RunError where the run
    knows nothing to compare with.
    """
    if not table.rows:
        raise TableError(f"{table.source}: has no row, so there is nothing to watch.")
    reference, origin = known_rows(predictor)
    loader, found = opened(predictor, table)
    which, when = in_time(predictor, loader.table, spread_over(table.rows, most), time)
    looked = look_at(predictor, loader, which)
    coverage = promised(predictor)
    pairs = [] if beside is None else apart(predictor, beside, loader, which, looked, usual)
    window = Window(loader, which, when, reference, looked.seen, coverage, pairs)
    tests, alarms = tested(window, predictor.run.job.seed)
    watched = Watched(
        predictor.run.path.name,
        loader.table.source,
        table.rows,
        len(which),
        reference.rows,
        len(tests),
        LEVEL + STREAM_LEVEL,
        tuple(drifts_of(window, alarms)),
        tuple(estimates(predictor, window, looked, tests, alarms)),
        tuple(notes_of(window, reference, origin)),
        tuple(predictor.caveats(loader, found, looked.odd)),
        out,
        tuple(say_agreed(pair) for pair in pairs if pair.found is None),
    )
    if out is not None:
        write_safely(out, watch_page(watched, window, alarms).encode("utf-8"))
        write_safely(out.with_suffix(".json"), watched.as_json())
    return watched


def opened(predictor: Predictor, table: Table) -> tuple[Loader, list]:
    """The rows with their labels, where there are some; TableError for a table without any column
    that the run reads."""
    columns = input_columns(predictor.run.job)
    inputs = {c for n in predictor.run.readers for c in columns[n]}
    answers = {c for t in predictor.run.targets.values() for c in t.columns}
    loader, found = predictor.open(table, answers=True)
    if not inputs & {*loader.table.columns}:
        predictor.open(table)  # says which columns it looked for
    return loader, [f for f in found if f.where not in answers]


def in_time(
    predictor: Predictor, table: Table, which: np.ndarray, time: str | None
) -> tuple[np.ndarray, list[str] | None]:
    """Rows in the order of their times, and these in words; the table's order without any.

    Rows without a time come first, as the oldest.
    """
    if time is not None:
        table.check_columns([time])
    column = time or time_column(predictor.run.job)
    if column is None or column not in table.columns:
        return which, None
    try:
        moment_N = table.moments(column, which)
    except TableError:
        if time is not None:
            raise
        return which, None  # unreadable cells are told with their column, and the order in a note
    if not np.isfinite(moment_N).any():
        if time is not None:
            raise TableError(f"{table.source}: column '{time}' holds no time to order rows by.")
        return which, None
    order = np.argsort(np.where(np.isfinite(moment_N), moment_N, -np.inf), kind="stable")
    dated = table.kind(column) in ("time", "text")
    return which[order], [moment(moment_N[i], dated=dated) for i in order]


def time_column(job: config.Job) -> str | None:
    """The column of the job that says when a row was, where there is no doubt: what it splits by,
    else its only column of times."""
    times = [n for n, c in job.columns.items() if isinstance(c, config.Time)]
    return job.split.time or (times[0] if len(times) == 1 else None)


def moment(seconds: float, *, dated: bool) -> str:
    """A moment as people write it: a day, or a number where times are numbers."""
    if not np.isfinite(seconds):
        return "at no known time"
    if not dated:
        return f"{seconds:g}"
    when = datetime.fromtimestamp(seconds, UTC)
    return when.strftime("%Y-%m-%d" if seconds % 86400 == 0 else "%Y-%m-%d %H:%M")


def tested(window: Window, seed: int) -> tuple[list[Comparison], list[Comparison]]:
    """All tests, and those that found something; none of too few rows."""
    if window.seen.rows < FEWEST:
        return [], []
    given = {"coverage": dict(window.coverage), "seed": seed}
    tests = comparisons_of(window.reference, window.seen, **given)
    alarms = alarms_in(tests)
    if window.when is not None:
        known = {(a.where, a.of, a.kind) for a in alarms}
        late = streams_of(window.reference, window.seen)
        alarms += [a for a in late if (a.where, a.of, a.kind) not in known]
    return tests, alarms + [disagreement(p) for p in window.beside if p.found is not None]


def apart(
    predictor: Predictor,
    other: Predictor,
    loader: Loader,
    which: np.ndarray,
    looked: Looked,
    usual: Table | None,
) -> list[Beside]:
    """How far another run is from this one on rows that were looked at; nothing of too few."""
    if len(which) < FEWEST:
        return []
    said = {task: own.value_B for task, own in looked.seen.said.items()}
    return compare_beside(predictor, other, loader, which, said, usual)


def disagreement(pair: Beside) -> Comparison:
    """Two runs that disagree, as a test that found something."""
    found, z_B = pair.found, pair.usual.standardised(pair.apart_B)
    assert found is not None, "sums that pass no limit are no alarm"
    size = pair.more / pair.usual.deviation
    given = {"score_B": found.side * z_B, "began": found.began, "noticed": found.noticed}
    return Comparison(pair.task, f"beside {pair.other}", "beside", size, pair.chance, **given)


def estimates(
    predictor: Predictor,
    window: Window,
    looked: Looked,
    tests: list[Comparison],
    alarms: list[Comparison],
) -> list:
    """How well rows are answered, by task."""
    run = predictor.run
    given = (run.job.tasks, run.targets, window.reference, window.seen, tests, alarms)
    return estimates_of(*given, unlike=looked.unlike, seed=run.job.seed)


def notes_of(window: Window, reference: Reference, origin: str) -> list[str]:
    """What is to be known of the comparison."""
    said = [f"Compared with {reference.rows} rows, {reference.held} of them held back: {origin}."]
    if window.when is None:
        said.append(
            "Rows have no time that orders all, so they count in the table's order, and changes "
            "inside the window are not looked for as in a stream; name a column with --time."
        )
    if not reference.said:
        said.append("Answers are not compared: the run kept none of rows held back.")
    unseen = [n for n in window.seen.vectors if n not in reference.vectors]
    if unseen:
        named = ", ".join(f"'{n}'" for n in unseen)
        said.append(f"What encoders make of {named} is not compared: too few rows were held back.")
    return said


def place_of(path: Path, run: object) -> Path:
    """Where the page of a run is written: in its folder, of a bundle beside it."""
    if isinstance(run, Bundle):
        return path.with_name(f"{path.stem}-{PAGE}")
    return path / PAGE
