"""Rows to learn from without labels: the training rows of a job and all rows of further tables.

Readers are fitted to all of them, each column on the table that has most cells of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.joined_loader import JoinedLoader
from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells, empty
from modalloy.checks.finding import Finding, finding
from modalloy.errors import EmptyColumnError, JobError, TableError
from modalloy.job import config
from modalloy.job.inputs import heard, input_columns, inputs, sources
from modalloy.learn import processes
from modalloy.learn.fitted_rows import FIT_ROWS, disk_share_gb
from modalloy.readers.build import fit_readers, from_state, in_order, to_state
from modalloy.readers.reader import Reader
from modalloy.table.table import Table

CELLS_AT_ONCE = 256  # a cell may hold a whole file


class Rows(NamedTuple):
    """What is learned from: rows of one loader, numbered through its tables.

    of: for each table the numbers of its rows in that table. judged: rows that say when to end.
    """

    loader: JoinedLoader
    of: tuple[np.ndarray, ...]
    learned: np.ndarray
    judged: np.ndarray


def open_unlabelled(
    job: config.Job, tables: Sequence[Table], of: Sequence[np.ndarray], *, most: int
) -> Rows:
    """The loader of these rows of these tables, and which of them are kept apart to say when to end
    (`pretrain.judged` of them, `most` at most).

    TableError where a column is empty in all of them.
    """
    _, world = processes.start()
    state = processes.first_decides(lambda: fit_state(job, tables, of), world)
    readers, room = from_state(state), disk_share_gb(job)
    strict = job.unreadable == "refuse"
    loaders = [Loader(table, job, readers, {}, strict=strict) for table in tables]
    starts = np.cumsum([0, *(table.rows for table in tables)])
    rows = np.concatenate([own + start for own, start in zip(of, starts, strict=False)])
    loader = JoinedLoader(loaders, cache_gb=room)
    count = min(most, int(len(rows) * job.pretrain.judged))
    mixed = np.random.default_rng(job.seed).permutation(rows)
    return Rows(loader, tuple(of), np.sort(mixed[count:]), np.sort(mixed[:count]))


def unreadable_cells(rows: Rows) -> Iterator[Finding]:
    """Columns some of whose cells could not be read and were left out, table by table."""
    for one, own in zip(rows.loader.loaders, rows.of, strict=True):
        for name, noted in one.status.items():
            found = list(noted.unreadable(own))
            if found:
                row, why = found[0]
                what = f"{len(found)} of {len(own)} cells of {one.table.source} taught nothing"
                yield finding("warning", name, f"{what}; row {row}: {why}")


def fit_state(job: config.Job, tables: Sequence[Table], of: Sequence[np.ndarray]) -> dict[str, Any]:
    """Readers as JSON."""
    samples = [sample_of(own, job.seed) for own in of]
    some = [
        (Loader(table, job, {}, {}), rows, len(own))
        for table, rows, own in zip(tables, samples, of, strict=True)
        if len(rows)
    ]
    found: dict[str, Reader] = {}
    for name in inputs(job):
        by_cells = sorted(some, key=lambda one: -filled(job, name, *one))
        found |= fit_column(job, name, [(loader, rows) for loader, rows, _ in by_cells])
    return to_state(in_order({n: found[n] for n in job.columns if n in found}))


def filled(job: config.Job, name: str, loader: Loader, rows: np.ndarray, total: int) -> float:
    """How many of a table's rows have cells of a column, told by some of them."""
    table, count = loader.table, 0
    wanted = sources(heard(job).get(name, name), job.columns[name])
    columns = [c for c in wanted if c in set(table.columns)]
    for start in range(0, len(rows), CELLS_AT_ONCE):
        cells = table.take(columns, rows[start : start + CELLS_AT_ONCE])
        each = zip(*(cells[c] for c in columns), strict=True)
        count += sum(not all(empty(cell) for cell in row) for row in each)
    return count * total / len(rows)


def fit_column(
    job: config.Job, name: str, some: Sequence[tuple[Loader, np.ndarray]]
) -> Mapping[str, Reader]:
    """The reader of one column, by the first table that holds anything of it.

    TableError, with the table's name where there are several, for cells that cannot be read.
    """
    one = job.model_copy(update={"columns": {name: job.columns[name]}})
    first: EmptyColumnError | None = None
    for loader, rows in some:

        def cells_of(columns: tuple[str, ...], own: Loader = loader, at: Any = rows) -> Cells:
            return own.cells(columns, at)

        try:
            return fit_readers(one, cells_of)
        except EmptyColumnError as error:
            first = first or error
        except TableError as error:
            if len(some) == 1 or str(error).startswith(loader.table.source):
                raise
            raise TableError(f"{loader.table.source}: {error}") from error
    assert first is not None, "there are rows"
    raise first


def sample_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """As many rows as readers are fitted on."""
    if len(rows) <= FIT_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, FIT_ROWS, replace=False))


def said_of(job: config.Job, tables: Sequence[Table]) -> Iterator[Finding]:
    """What further tables lack of the columns that are learned from.

    JobError for one that has none of them.
    """
    wanted = input_columns(job)
    for table in tables[1:]:
        have = set(table.columns)
        lacking = [name for name, columns in wanted.items() if not have.intersection(columns)]
        if len(lacking) == len(wanted):
            raise JobError(
                f"pretrain.unlabelled: {table.source} has none of the columns of this job "
                f"({', '.join(wanted)}); name a table of such rows."
            )
        if lacking:
            what = f"lacks {', '.join(lacking)}: missing cells in all of its {table.rows} rows"
            yield finding("note", str(table.source), what)
