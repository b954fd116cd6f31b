"""A site's rows as the job calls them: columns renamed, in the job's units, absent ones empty."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modalloy.cells.numbers import to_numbers
from modalloy.errors import FederationError, TableError
from modalloy.job import config
from modalloy.job.federated import SiteColumn
from modalloy.job.inputs import input_columns, sources
from modalloy.job.options import did_you_mean
from modalloy.media.blob import is_bytes
from modalloy.table.table import Table
from modalloy.tasks.columns import number_columns


def as_the_job(table: Table, job: config.Job, site: str) -> tuple[Table, list[str]]:
    """The site's table with every column of the job, and the columns that it has nothing of.

    FederationError where a column is said to be what the table lacks, or to have another unit and
    holds no numbers.
    """
    said = job.federate.columns.get(site, {})
    table = renamed(table, said, site).read_as(None, number_columns(job))
    for column, own in said.items():
        if own.times != 1.0 or own.plus:
            table = converted(table, column, own, site)
    wanted = [*{c for some in input_columns(job).values() for c in some}, *answers_in(job)]
    absent = sorted({c for c in wanted if c not in table.columns})
    for column in absent:
        table = table.beside(column, [None] * table.rows, ())
    return table, absent


def answers_in(job: config.Job) -> list[str]:
    """The columns that hold answers."""
    return [c for task in job.tasks.values() for c in task.answers_in.values()]


def renamed(table: Table, said: Mapping[str, SiteColumn], site: str) -> Table:
    """The table with the job's names."""
    names = {own.name: column for column, own in said.items() if own.name is not None}
    for own, column in names.items():
        if own not in table.columns:
            raise FederationError(
                f"federate.columns.{site}.{column}: {table.source} has no column '{own}'."
                f"{did_you_mean(own, table.columns)}"
            )
        if column in table.columns:
            raise FederationError(
                f"federate.columns.{site}.{column}: {table.source} has both '{own}' and '{column}';"
                " say which one is meant by leaving the other out of the table."
            )
    return table.renamed(names) if names else table


def converted(table: Table, column: str, own: SiteColumn, site: str) -> Table:
    """The table with a number column in the job's unit."""
    try:
        x = table.numbers(column) * own.times + own.plus
    except TableError as error:
        raise FederationError(f"federate.columns.{site}.{column}: {error}") from error
    return table.replaced(column, pa.array(x, pa.float64(), from_pandas=True))


def unlike_names(absent: list[str], table: Table, job: config.Job) -> list[str]:
    """Sentences on columns that the table lacks and has another of nearly the same name for."""
    known = {*job.columns, *answers_in(job)}
    free = [c for c in table.columns if c not in known]
    found = []
    for column in absent:
        near = [c for c in free if c.lower().startswith(f"{column.lower()}_")]
        near += [c for c in free if c.lower().replace(" ", "_") == column.lower()]
        if near:
            found.append(
                f"no column '{column}' but '{near[0]}': if it is the same, say so in "
                f"federate.columns (name: {near[0]}, and times: where its unit is another); until "
                "then its cells count as missing"
            )
    return found


def numbers_in(job: config.Job) -> set[str]:
    """Table columns each of whose cells is one number."""
    lists = {
        source
        for name, options in job.columns.items()
        if isinstance(options, config.Series) and options.history is None
        for source in sources(name, options)
    }
    return number_columns(job) - lists


def cells_of(table: Table, column: str, *, number: bool) -> list[Any]:
    """A column's cells as they may stand beside another site's: files by their whole paths, numbers
    as such, since sites may write fractions with different signs."""
    written = table.written(column)
    if not number:
        return [whole(cell, table.folder) for cell in written]
    return [x if x == x else None for x in to_numbers(written, table.decimal).tolist()]


def write_rows(table: Table, path: Path) -> Path:
    """Write a site's rows as the job calls them, files by their whole paths; where they are. The
    site's own run names them as its table, for verbs that look at its rows again."""
    cells = {c: [whole(x, table.folder) for x in table.written(c)] for c in table.columns}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({c: column_of(x) for c, x in cells.items()}), path)
    return path.resolve()


def whole(cell: Any, folder: Path) -> Any:
    """A cell that names a file below the folder as its whole path; others as they are."""
    if isinstance(cell, str) and not is_bytes(cell) and "." in cell[-6:]:
        path = folder / cell
        if path.is_file():
            return str(path)
    return cell


def column_of(cells: list[Any]) -> pa.Array:
    """Cells as one column; as text where they are written differently, or where there is none."""
    try:
        found = pa.array(cells, from_pandas=True)
        return found if not pa.types.is_null(found.type) else found.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if c is None else str(c) for c in cells], pa.string())
