"""What rows are alike in when a promise is kept for each kind of them: the columns that they lack,
and the values of columns that the job names.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.values import spelled
from modalloy.readers.category import CategoryReader

UNNAMED = "missing"  # what a cell without a value is called


class RowGroup(NamedTuple):
    """Inputs that a row lacks, in the order of the job, and its values of the columns in `by`."""

    missing: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


def groups_of(
    loader: Loader,
    which: np.ndarray,
    said: Mapping[str, Sequence[str]],
    by: Sequence[str] = (),
) -> list[RowGroup]:
    """The group of each of these rows.

    said: what each row's cells were worth, as `statuses` returns it. A cell that cannot be read
    counts as missing, and so does a column that is not read. by: a column that the table lacks is
    `missing` everywhere.
    """
    gone = {name: [lost(s) for s in said.get(name, ())] for name in loader.readers}
    values = [
        names_at(loader, c, which) if c in loader.table.columns else [UNNAMED] * len(which)
        for c in by
    ]
    return [
        RowGroup(
            tuple(n for n, missing in gone.items() if not missing or missing[i]),
            tuple(v[i] for v in values),
        )
        for i in range(len(which))
    ]


def lost(status: str) -> bool:
    """Whether a cell with this status gives the network nothing."""
    return status == "missing" or status.startswith("unreadable")


def without(groups: Sequence[RowGroup], hidden: Collection[str], order: Sequence[str]) -> list:
    """The groups of the same rows with these inputs hidden besides. order: of all inputs."""
    return [
        RowGroup(tuple(n for n in order if n in hidden or n in group.missing), group.values)
        for group in groups
    ]


def names_at(loader: Loader, column: str, which: np.ndarray) -> list[str]:
    """What each row's cell is called: by the reader's name where the model reads the column."""
    reader, cells = loader.readers.get(column), loader.table.written(column, which)
    if isinstance(reader, CategoryReader):
        called = [reader.naming.find(c, loader.table.decimal) for c in cells]
    else:
        called = [spelled(c) for c in cells]
    return [UNNAMED if n is None else n for n in called]
