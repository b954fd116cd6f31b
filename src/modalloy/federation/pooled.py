"""All sites' rows in one table, where they are all here: what federating is compared with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from modalloy.federation.own_rows import answers_in, cells_of, column_of, numbers_in
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts
from modalloy.table.table import Table


def pooled(
    job: config.Job, tables: Mapping[str, Table], parts: Mapping[str, Parts]
) -> tuple[Table, Parts]:
    """One table of all sites' rows, files by their whole paths, and the sites' own parts in it."""
    wanted = {c for some in input_columns(job).values() for c in some} | {*answers_in(job)}
    by = job.split.by
    columns = sorted(wanted | ({by} if by else set()))
    numbers = numbers_in(job)
    cells: dict[str, list[Any]] = {c: [] for c in columns}
    found: list[list[np.ndarray]] = [[], [], [], []]
    start = 0
    for site, table in tables.items():
        for column in columns:
            there = column in table.columns
            number = column in numbers
            own = cells_of(table, column, number=number) if there else [None] * table.rows
            cells[column] += own
        for kind, rows in enumerate(parts[site]):
            found[kind].append(rows + start)
        start += table.rows
    made = open_table(pa.table({c: column_of(x) for c, x in cells.items()}), allow_outside=True)
    return made, Parts(*(np.sort(np.concatenate(p)).astype(np.int64) for p in found))
