"""Sorts the rows of a table into recordings, and says which rows have no place in one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from modalloy.cells.bulk import OrderForm, read_names, read_numbers, read_order
from modalloy.cells.numbers import to_number
from modalloy.cells.window import Recordings, no_place
from modalloy.errors import TableError
from modalloy.job import config

if TYPE_CHECKING:
    from modalloy.table.table import Table


def sort_recordings(
    table: "Table", columns: Sequence[str], history: config.History, form: OrderForm | None
) -> Recordings:
    """All rows sorted by recording and order; its `fault` is the first cell that cannot be read."""
    table.check_columns([*columns, *history.by, history.order])
    for column in history.by:
        if not table.held_as_text(column) and table.kind(column) in ("list", "other"):
            what = "holds lists, which name nothing"
            raise TableError(f"{table.source}: column '{column}' {what}.")
    faults: list[str] = []
    form, order = read_order(table.arrays(history.order, None), form, table.decimal)
    lost = np.flatnonzero(np.isnan(order.x_N))
    if len(lost):
        cell = table.written(history.order, lost[:1])[0]
        faults.append(
            f"{table.source}: column '{history.order}', row {lost[0]}: "
            f"{no_place(cell, form)}, so this row has no place in its recording. {len(lost)} "
            "rows lack it; fill or drop them."
        )
    groups = [read_names(table.arrays(c, None)) for c in history.by]
    numbers = (_channel(table, c, faults) for c in columns)
    found = Recordings.sort(groups, order.x_N, numbers, len(columns), table.spooled)
    return replace(found, form=form, fault=faults[0] if faults else None)


def _channel(table: "Table", column: str, faults: list[str]) -> np.ndarray:
    """Numbers of all rows; the first cell that says none becomes a fault."""
    x_N, bad_N = read_numbers(table.arrays(column, None), table.decimal)
    if bad_N.any():
        row = np.flatnonzero(bad_N)[:1]
        cells = table.written(column, row)
        faults.append(str(table.unfit(column, row, 0, cells[0], "is no number")))
    return x_N


def said_of(
    table: "Table",
    columns: Sequence[str],
    history: config.History,
    rows: np.ndarray,
    found: Recordings,
) -> list[tuple[str, ...]]:
    """What is to be said of each of these rows: its own cells that could not be read."""
    said: list[tuple[str, ...]] = [()] * len(rows)
    lost = np.flatnonzero(np.isin(rows, found.lost))
    for at, cell in zip(lost, table.written(history.order, rows[lost]), strict=True):
        why = no_place(cell, found.form)
        said[at] = (f"column '{history.order}': {why}, so no earlier row is seen",)
    for column, x_B in zip(columns, found.newest(rows), strict=True):
        blank = np.flatnonzero(np.isnan(x_B))
        if len(blank):
            for at, cell in zip(blank, table.written(column, rows[blank]), strict=True):
                if to_number(cell, table.decimal) is None:
                    said[at] += (f"column '{column}': {cell!r:.60} is no number",)
    return said
