"""The rows of a table as a run reads them: its columns found, its recordings heard."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.table_caveats import find_columns, sentence
from modalloy.checks.finding import Finding, some
from modalloy.errors import TableError
from modalloy.job.inputs import input_columns
from modalloy.runs.run import Run
from modalloy.speech.heard import with_heard
from modalloy.table.table import Table


class Opened(NamedTuple):
    """Rows that a run can read, and what was found of the table's columns."""

    loader: Loader
    found: list[Finding]

    def notes(self) -> Iterator[str]:
        """What is to be said of the table, in sentences."""
        yield from self.loader.table.notes
        yield from map(sentence, self.found)


def open_rows(
    run: Run,
    table: Table,
    *,
    hidden: Collection[str] | None = None,
    answers: bool = False,
    part: slice | np.ndarray | None = None,
    quiet: bool = True,
) -> Opened:
    """The rows of a table for a run; a recording that cannot be read counts as missing.

    hidden: inputs that are not read, those that the run itself hides for None. answers: true
    answers and groups are looked for as well; the table may then lack all inputs. part: the rows
    that will be asked for, by position: recordings of others are not heard. quiet: hear without a
    bar that shows how far it is. TableError without `answers` for a table that has no column to
    read.
    """
    hidden = run.hidden if hidden is None else hidden
    table, found = find_columns(run.job, table, answers=answers, decimal=run.decimal)
    lenient = run.job.model_copy(update={"unreadable": "missing"})
    table = with_heard(table, lenient, hidden=hidden, part=part, quiet=quiet)
    read = [n for n in run.readers if n not in hidden]
    columns = input_columns(run.job)
    if not answers and not {c for n in read for c in columns[n]}.intersection(table.columns):
        raise TableError(
            f"{table.source}: has none of the columns this model reads: {some(read, 12)}. "
            f"It has {some(table.columns, 12)}."
        )
    targets = run.targets if answers else {}
    loader = Loader(table, run.job, run.readers, targets, cache_gb=0.0, hidden=hidden)
    return Opened(loader, [f for f in found if f.where not in hidden])
