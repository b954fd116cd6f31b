"""Cells given in memory without a frame around them: lists by column, or one mapping a row."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import pyarrow as pa

from modalloy.errors import TableError
from modalloy.table.arrow_store import Stream
from modalloy.table.records import of_objects

CellsByColumn = Mapping[str, Sequence[Any]]
CellsByRow = Sequence[Mapping[str, Any]]


def are_cells(source: Any) -> TypeGuard[CellsByColumn | CellsByRow]:
    """Whether a source is cells by column or by row."""
    if isinstance(source, list | tuple):
        return all(isinstance(row, Mapping) for row in source)
    return isinstance(source, Mapping)


def read_cells(cells: CellsByColumn | CellsByRow) -> Stream:
    """Cells as columns; a row that lacks a column has an empty cell there.

    Raises TableError for columns that are no lists, or of several lengths.
    """
    columns = cells if isinstance(cells, Mapping) else by_column(cells)
    lists = {str(name): as_list(name, column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) > 1:
        shortest, longest = (f(lengths, key=lambda n: lengths[n]) for f in (min, max))
        raise TableError(
            f"cells: column '{longest}' has {lengths[longest]} cells, '{shortest}' has "
            f"{lengths[shortest]}; every column needs one a row, None where there is nothing."
        )
    table = pa.table({name: of_objects(column) for name, column in lists.items()})
    return Stream(table.schema, table.to_batches(), 0)


def by_column(rows: CellsByRow) -> CellsByColumn:
    """The cells of each column that any row has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def as_list(name: str, column: Any) -> list[Any]:
    """The cells of one column."""
    if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__iter__"):
        raise TableError(
            f"cells: column '{name}' is one {type(column).__name__}, not a list with a cell a row; "
            "write a single row as [{'column': cell}]."
        )
    return list(column)
