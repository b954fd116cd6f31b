"""The group column that would keep copies of rows on one side of a split."""

from collections.abc import Collection

import numpy as np

from modalloy.table.table import Table

KEPT = 0.9  # share of the pairs that a column keeps together, from which it is proposed
FEWEST = 3  # groups that a split needs
LARGEST = 0.5  # share of the rows in one group, above which no split by it is even


def parting_column(
    table: Table, pairs: np.ndarray, skip: Collection[str | None]
) -> tuple[str, float] | None:
    """The column whose equal cells hold most pairs together, and the share that it holds.

    Of several columns that hold nearly all, the one with the most values: it divides the least of
    what does not belong together. pairs: (P, 2) row numbers. None where no column would do.
    """
    best: tuple[int, str, float] | None = None
    for column in table.columns:
        if column in skip or table.kind(column) in ("list", "other"):
            continue
        codes = table.codes(column)[0]
        sizes = np.bincount(codes[codes >= 0])
        distinct = int((sizes > 0).sum())
        if distinct < FEWEST or sizes.max() > LARGEST * table.rows:
            continue
        a, b = codes[pairs].T
        kept = float(((a == b) & (a >= 0)).mean())
        if kept >= KEPT and (best is None or distinct > best[0]):
            best = (distinct, column, kept)
    return None if best is None else best[1:]
