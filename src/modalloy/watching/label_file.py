"""Labels from a table: a column of row names, one of right answers for each task."""

from collections.abc import Mapping, Sequence
from typing import Any

from modalloy.cells.cells import Cells, empty
from modalloy.deployment.log_rows import Given
from modalloy.deployment.row_log import RowLog
from modalloy.errors import TableError
from modalloy.table.open_table import open_table

ROW, SOURCE = "row_id", "source"


def label_from(
    log: RowLog, table: Any, *, source: str, at: float, targets: Mapping[str, Any] | None = None
) -> int:
    """Keep the labels of a table; how many there were.

    table: with `row_id` and the columns of at least one task, and perhaps `source`, who gave each
    label. source: who gave them otherwise. targets: of the run that answers, which read them. An
    empty cell is no label. TableError for a table without these columns, for a label that its task
    cannot read, and where somebody labels a row twice and otherwise; RunError where a row is not in
    the log: then no label is kept.
    """
    opened = open_table(table)
    have = set(opened.columns)
    tasks = {t: c for t, c in log.tasks.items() if {*c} <= have}
    if ROW not in have or not tasks:
        wanted = " or ".join(", ".join(c) for c in log.tasks.values())
        raise TableError(
            f"{opened.source}: labels need the columns {ROW} and {wanted}; it has "
            f"{', '.join(opened.columns)}."
        )
    names = [str(n) for n in opened.written(ROW)]
    sources = opened.written(SOURCE) if SOURCE in have else [None] * len(names)
    given = []
    for task, columns in tasks.items():
        cells = [opened.cells(c) for c in columns]
        for name, by, *label in zip(names, sources, *cells, strict=True):
            if any(map(empty, label)):
                continue
            kept = label[0] if len(columns) == 1 else dict(zip(columns, label, strict=True))
            if targets is not None:
                one = {c: [cell] for c, cell in zip(columns, label, strict=True)}
                refuse_unread(targets[task], Cells(one, decimal=opened.decimal), name)
            given.append(Given(name, task, kept, str(by or source)))
    refuse_contradictions(given, opened.source)
    if given:
        log.label_all(given, at=at)
    return len(given)


def refuse_unread(target: Any, label: Cells, row: str) -> None:
    """TableError for a label that is none of its task: kept, it would stop every later refresh."""
    try:
        target.truth(label)
    except TableError as error:
        raise TableError(f"the label of row '{row}': {error}") from error


def refuse_contradictions(given: Sequence[Given], table: str) -> None:
    """TableError where one source labels a row twice, and otherwise: which holds nobody knows."""
    said: dict[tuple[str, str, str], str] = {}
    for g in given:
        first = said.setdefault((g.row, g.task, g.source), repr(g.label))
        if first != repr(g.label):
            raise TableError(
                f"{table}: '{g.source}' labels row '{g.row}' twice, as {first:.40} and as "
                f"{g.label!r:.40}; leave the right one."
            )
