"""Which rows run together and how far they are padded, so that little is computed for nothing.

Rows of like length meet, lengths are padded to few sizes, and the last group of each size is filled
up to a power of two with copies: an engine that prepares itself for every new shape sees few.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

STEP = 8  # tokens between two lengths that rows are padded to


class Bucket(NamedTuple):
    """rows: positions of rows, (B,), of which the first `count` are answered; the others are copies
    of the last one. length: that they are padded to, None where rows have no length.
    """

    rows: np.ndarray
    count: int
    length: int | None


def buckets(
    lengths: np.ndarray | None, batch: int, *, rows: int | None = None, longest: int | None = None
) -> Iterator[Bucket]:
    """Groups of rows: every row counts once, in groups from the shortest to the longest.

    lengths: tokens of each row, (R,), or None where all rows are alike; `rows` then says how many
    there are. batch: rows of the longest length that run together; shorter ones are more, so that
    tokens stay about as many. longest: what no row is padded beyond, the longest of all for None.
    """
    if lengths is None:
        assert rows is not None, "rows without lengths are counted"
        yield from filled(np.arange(rows), batch, None)
        return
    most = int(lengths.max(initial=1)) if longest is None else longest
    padded = padded_lengths(lengths, most)
    order = np.argsort(padded, kind="stable")
    for length in np.unique(padded).tolist():
        own = order[padded[order] == length]
        yield from filled(own, rows_at_once(length, most, batch), length)


def padded_lengths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Each length, up to the next multiple of 8, at least 8 and never beyond the longest."""
    return np.minimum(np.maximum(-(-lengths // STEP), 1) * STEP, max(longest, 1))


def rows_at_once(length: int, longest: int, batch: int) -> int:
    """Rows of a length that have as many tokens as a batch of the longest, as a power of two."""
    return power_below(max(1, batch * longest // length))


def filled(rows: np.ndarray, batch: int, length: int | None) -> Iterator[Bucket]:
    """Groups of `batch` rows, and the rest in one, filled up to a power of two."""
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        lacking = min(batch, power_above(len(some))) - len(some)
        yield Bucket(np.append(some, np.repeat(some[-1:], lacking)), len(some), length)


def power_above(count: int) -> int:
    """The least power of two that is not below a count."""
    return 1 << (count - 1).bit_length()


def power_below(count: int) -> int:
    """The largest power of two that is not above a count."""
    return 1 << (count.bit_length() - 1)
