"""The rows that baselines see: enough for a fair line, and quick."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.moments import date_form, to_moment
from modalloy.job import config
from modalloy.readers.reader import Reader
from modalloy.table.split import Parts

CellsOf = Callable[[Sequence[str], np.ndarray], Cells]

MOST_ROWS = {"image": 5_000, "audio": 5_000, "series": 5_000, "text": 20_000, "tokens": 20_000}
MOST_PLAIN = 50_000  # rows where no column is costly to read
MOMENTS = 20  # stretches of time that stay together where rows are split by time


class Embedded(Protocol):
    """Some rows by use, and `of(rows) -> (B, F)`: a frozen encoder's features of any of them."""

    @property
    def train(self) -> np.ndarray:
        """Training rows that `of` knows."""

    @property
    def test(self) -> np.ndarray:
        """Test rows that `of` knows."""

    @property
    def of(self) -> Callable[[np.ndarray], np.ndarray]:
        """Features of some rows, (B, F), NaN where a cell is absent."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that they are features of."""


@dataclass(frozen=True)
class Sample:
    """Rows that baselines see; `train` and `test` are positions within `rows`.

    test_at: where each test row stands in parts.test. seen_train, seen_test: positions with frozen
    features.
    """

    rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    test_at: np.ndarray
    seen_train: np.ndarray
    seen_test: np.ndarray
    note: str
    seen_note: str


def most_rows(readers: Mapping[str, Reader]) -> int:
    """Training rows, and test rows, that simple methods see at most: by the most costly column."""
    kinds = {reader.kind for reader in readers.values()}
    return min((MOST_ROWS.get(kind, MOST_PLAIN) for kind in kinds), default=MOST_PLAIN)


def belonging(job: config.Job, cells_of: CellsOf, rows: np.ndarray) -> list[str] | None:
    """A label for each row by what the job keeps together; None where rows stand alone.

    The group that rows are split by, else the recording of a series with a history, else a stretch
    of time.
    """
    split = job.split
    histories = [
        o.history for o in job.columns.values() if isinstance(o, config.Series) and o.history
    ]
    typed = [c for c, o in job.columns.items() if isinstance(o, config.Group)]
    by = (split.by,) if split.by else tuple(histories[0].by) if histories else tuple(typed[:1])
    if by:
        cells = cells_of(by, rows)
        return [" ".join(map(str, row)) for row in zip(*(cells[c] for c in by), strict=True)]
    if split.time is None:
        return None
    times = cells_of((split.time,), rows)[split.time]
    form = date_form(times)
    moments = [m if isinstance(m := to_moment(c, form), datetime) else datetime.min for c in times]
    order = np.argsort(np.array(moments, dtype="datetime64[us]"), kind="stable")
    stretch = np.empty(len(rows), dtype=np.int64)
    stretch[order] = np.arange(len(rows)) * MOMENTS // max(1, len(rows))
    return [str(s) for s in stretch]


def draw(parts: Parts, frozen: Embedded | None, most: int, seed: int) -> Sample:
    """Training and test rows, each cut to `most` by chance; rows with frozen features stay."""
    rng = np.random.default_rng(seed)
    drawn, seen, said, seen_said = [], [], [], []
    for name in ("train", "test"):
        rows = getattr(parts, name)
        known = (
            np.isin(rows, getattr(frozen, name))
            if frozen is not None
            else np.zeros(len(rows), bool)
        )
        order = rng.permutation(len(rows))
        order = order[np.argsort(~known[order], kind="stable")]
        at = np.sort(order[:most])
        drawn.append(at)
        seen.append(np.flatnonzero(known[at]))
        kind = "training" if name == "train" else name
        for count, notes in ((len(at), said), (len(seen[-1]), seen_said)):
            if count < len(rows):
                notes.append(f"{count} of {len(rows)} {kind} rows")
    train_at, test_at = drawn
    return Sample(
        rows=np.concatenate([parts.train[train_at], parts.test[test_at]]),
        train=np.arange(len(train_at)),
        test=len(train_at) + np.arange(len(test_at)),
        test_at=test_at,
        seen_train=seen[0],
        seen_test=len(train_at) + seen[1],
        note=f"on {' and '.join(said)}" if said else "",
        seen_note=f"on {' and '.join(seen_said)}" if seen_said else "",
    )
