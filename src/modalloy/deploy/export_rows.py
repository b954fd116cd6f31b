"""Rows that an export is tried on: some to trace the network with, and those that judge it."""

from typing import NamedTuple

import numpy as np

from modalloy.answer.buying import there_of
from modalloy.answer.golden_rows import spread
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.errors import RunError, TableError
from modalloy.job.job_file import FRAME, check_against
from modalloy.readers.batch import TABLE, ArrayBatch
from modalloy.runs.run import Run
from modalloy.table.fingerprints import same_parts
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.table.table import Table

EACH = 2  # rows of an example that have each input: what is 1 there is taken to be 1 always
READ_AT_ONCE = 16
LOOKED_AT = 4096  # rows that are searched for an example
MOST = 4096  # rows that judge; more are thinned evenly


class ExportRows(NamedTuple):
    """The table of an export. loader: as the run reads it. which: rows that judge, and what they
    are, in words.
    """

    loader: Loader
    which: np.ndarray
    said: str


def rows_of(predictor: Predictor, table: Table | None, *, quiet: bool = True) -> ExportRows:
    """The validation rows of a run's own table, its training rows where it has none; or all rows of
    another table.

    RunError where the own table is gone or another one now; TableError where no row is there.
    """
    run = predictor.run
    if table is None:
        table = own_table(run)
        loader = predictor.open(table, quiet=quiet).loader
        check_against(run.job, loader.table)
        parts = split_job(loader.table, run.job)
        if not same_parts(loader.table, run.job, parts, run.prints()):
            raise RunError(
                f"{run.path}: {table.source} no longer holds the rows that this run was trained "
                f"on. Put the old table back, or give rows like them: --table FILE."
            )
        name = "validation" if len(parts.validation) else "training"
        which, said = parts.validation if len(parts.validation) else parts.train, f"{name} rows"
    else:
        loader = predictor.open(table, quiet=quiet).loader
        which, said = np.arange(loader.table.rows), "rows of the given table"
    if not len(which):
        raise TableError(f"{table.source}: has no row to try an export on.")
    return ExportRows(loader, spread(which, MOST), said)


def own_table(run: Run) -> Table:
    """The table that a run was trained on; RunError where it is gone."""
    if run.job.table == FRAME:
        raise RunError(
            f"{run.path}: was trained on a frame in memory; give rows like those it was trained "
            "on, to try the export on: --table FILE, or `table=`."
        )
    try:
        return open_table(run.job.table, sheet=run.job.sheet)
    except TableError as error:
        raise RunError(
            f"{run.path}: its own table cannot be opened, and an export is tried on rows: {error} "
            "Put it back, or give rows like those it was trained on: --table FILE, or `table=`."
        ) from error


def example_of(run: Run, table: Table) -> ArrayBatch:
    """A few rows to trace with: every input is there in at least two of them.

    Inputs that the run no longer reads are read all the same, for their graphs' sake. TableError
    where an input is there in no two of the first rows.
    """
    loader = Loader(table, run.job, run.readers, {})
    looked = np.arange(min(table.rows, LOOKED_AT))
    chosen: list[int] = []
    for name in loader.inputs:
        found = 0
        there = looked if name == TABLE else looked[there_of(loader, name, looked)]
        for start in range(0, len(there), READ_AT_ONCE):
            some = there[start : start + READ_AT_ONCE]
            present = loader.batch(some, inputs=[name]).present[name]
            good = some[present if present.ndim == 1 else present.any(1)][: EACH - found]
            chosen += good.tolist()
            found += len(good)
            if found == EACH:
                break
        if found < EACH and name != TABLE:
            raise TableError(
                f"{table.source}: fewer than {EACH} of its first {len(looked)} rows have a "
                f"readable '{name}', and an export traces the network with rows that have it. Give "
                "a table with such rows: --table FILE, or `table=`."
            )
    rows = np.unique(chosen)
    return loader.batch(rows if len(rows) >= EACH else np.arange(min(EACH, table.rows)))
