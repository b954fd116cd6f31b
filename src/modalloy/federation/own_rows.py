"""A site's rows as the job calls them: columns renamed, in the job's units, absent ones empty."""

from collections.abc import Mapping

import pyarrow as pa

from modalloy.errors import FederationError, TableError
from modalloy.job import config
from modalloy.job.federated import SiteColumn
from modalloy.job.inputs import input_columns
from modalloy.job.options import did_you_mean
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
