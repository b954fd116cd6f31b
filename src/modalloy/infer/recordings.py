"""Tables whose rows are moments of recordings, as a plant's historian writes them: numbers that
move little from row to row become one series, so that each row sees the rows before it.

A reading alone seldom tells a fault; what it did over the last rows does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.cells.bulk import read_names, read_numbers, read_order
from modalloy.infer.guessed import Guess, InferredTask
from modalloy.job import config
from modalloy.table.table import Table

LONG = 20  # rows of a recording, in the middle
STEADY = 0.9  # share of the steps from row to row that are the one in the middle
SMOOTH = (
    0.5  # ratio below which a number moves little from row to row; 1 where it moves as it likes
)
LOOKED = 20  # recordings that a column must order before all of them are looked at
LEAST = 3  # smooth numbers that make it worth looking back
ROWS = 40  # that each row sees, itself included
MOST_ROWS = 500_000  # of a table that is looked at
Guesses = Mapping[str, Guess]


class Sorted(NamedTuple):
    """Rows by recording and order. order_N: their places in the table. same_N: whether a row
    follows one of its own recording."""

    order_N: np.ndarray
    same_N: np.ndarray


def with_recordings(
    table: Table,
    first: Guesses,
    guesses: Guesses,
    split: config.Split,
    tasks: Mapping[str, InferredTask],
) -> dict[str, Guess]:
    """The guesses with one series in the place of numbers that were recorded row after row.

    first: what columns were thought to be before those that say how to split left the inputs.
    """
    out = dict(guesses)
    plain = all(task.type in ("classify", "regress") for task in tasks.values())
    numbers = [c for c, g in guesses.items() if g.type == "number"]
    if not plain or table.rows > MOST_ROWS or len(numbers) < LEAST:
        return out
    for by, order, rows in recordings(table, first, guesses, split):
        channels = [c for c in numbers if c != order]
        ratios = {c: smoothness(values(table, c), rows) for c in channels}
        channels = [c for c in channels if ratios[c] is not None]
        smooth = [c for c in channels if (ratios[c] or 0.0) < SMOOTH]
        if len(smooth) < max(LEAST, len(channels) / 2):
            continue
        reason = (
            f"{len(channels)} numbers of which {len(smooth)} move little from one '{order}' of a "
            f"'{by[0]}' to the next: each row sees the {ROWS - 1} before it"
        )
        history = {"by": list(by), "order": order, "rows": ROWS}
        options = {"from": channels, "history": history, "front": ["statistics", "recent"]}
        name = free_name("readings", [*table.columns, *guesses])
        return {
            (name if c == channels[0] else c): (
                Guess("series", reason, options) if c == channels[0] else g
            )
            for c, g in out.items()
            if c == channels[0] or c not in channels
        }
    return out


def recordings(
    table: Table, first: Guesses, guesses: Guesses, split: config.Split
) -> Iterator[tuple[tuple[str, ...], str, Sorted]]:
    """Columns that name recordings, the one that orders their rows, and the rows sorted so."""
    orders = [c for c, g in guesses.items() if g.type in ("number", "time")]
    for group in (c for c, g in first.items() if g.type == "group"):
        by = (group,) if whole(table, group, split.column) else (group, str(split.column))
        recording_N = named(table, by)
        if recording_N is None or np.median(np.bincount(recording_N)) < LONG:
            continue
        for order in orders:
            rows = sort(table, recording_N, order)
            if rows is not None:
                yield by, order, rows


def whole(table: Table, group: str, parts: str | None) -> bool:
    """Whether all rows of each recording are of one use; a name may come again in test rows."""
    if parts is None:
        return True
    pair_N2 = np.stack([read_names(table.arrays(c, None)) for c in (group, parts)], 1)
    return len(np.unique(pair_N2, axis=0)) == len(np.unique(pair_N2[:, 0]))


def named(table: Table, by: Sequence[str]) -> np.ndarray | None:
    """The recording of each row, numbered from 0, (N,); None where some row has no name."""
    name_NC = np.stack([read_names(table.arrays(c, None)) for c in by], 1)
    if (name_NC < 0).any():
        return None
    return np.unique(name_NC, axis=0, return_inverse=True)[1].reshape(-1)


def sort(table: Table, recording_N: np.ndarray, order: str) -> Sorted | None:
    """Rows by recording and order; None unless all recordings go on in even steps."""
    _, (at_N, bad_N) = read_order(table.arrays(order, None), None, table.decimal)
    if bad_N.any() or not np.isfinite(at_N).all():
        return None
    few = np.flatnonzero(recording_N < LOOKED)  # most columns fail here, and cost little
    if even(at_N[few], recording_N[few]) is None:
        return None
    return even(at_N, recording_N)


def even(at_N: np.ndarray, recording_N: np.ndarray) -> Sorted | None:
    """Rows sorted by recording and place; None where a place comes twice or steps differ."""
    order_N = np.lexsort((at_N, recording_N))
    same_N = np.diff(recording_N[order_N], prepend=-1) == 0
    step_N = np.diff(at_N[order_N], prepend=0.0)[same_N]
    if not len(step_N) or step_N.min() <= 0:
        return None
    usual = np.median(step_N)
    if (np.abs(step_N - usual) <= 1e-6 * usual).mean() < STEADY:
        return None
    return Sorted(order_N, same_N)


def smoothness(x_N: np.ndarray, rows: Sorted) -> float | None:
    """How far a number moves from row to row, beside how far it moves within a recording: 0 for a
    line that stands, 1 for numbers drawn anew (half of von Neumann's ratio, 1941).

    None for a number that does not change within recordings.
    """
    x_N = x_N[rows.order_N]
    recording_N = np.cumsum(~rows.same_N) - 1
    known_N = np.isfinite(x_N)
    count_R = np.bincount(recording_N, known_N).clip(1)
    mean_R = np.bincount(recording_N, np.where(known_N, x_N, 0.0)) / count_R
    off_N = np.where(known_N, x_N - mean_R[recording_N], np.nan)
    spread = float(np.nanmean(off_N**2)) if known_N.any() else 0.0
    if spread <= 1e-12 * max(1e-300, float(np.nanmean(x_N[known_N] ** 2)) if known_N.any() else 1):
        return None
    moved_N = np.diff(off_N, prepend=np.nan)[rows.same_N]
    moved_N = moved_N[np.isfinite(moved_N)]
    return float((moved_N**2).mean()) / (2.0 * spread) if len(moved_N) else None


def values(table: Table, column: str) -> np.ndarray:
    """Numbers of all rows of a column, NaN where there is none."""
    return read_numbers(table.arrays(column, None), table.decimal).x_N


def free_name(name: str, taken: Sequence[str]) -> str:
    """The name, longer where it is taken."""
    while name in taken:
        name += "_before"
    return name
