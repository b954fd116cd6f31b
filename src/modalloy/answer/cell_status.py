"""What each cell of a column was worth, for the cells that are not in order: one byte a row."""

import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

OK, MISSING, SAID = range(3)  # SAID: the sentence stands in a dictionary


class Statuses(Mapping[int, str]):
    """Row number -> status, without the rows that are `ok` or that were not read yet.

    A column that is mostly empty costs a byte a row; only rarer sentences take a place each.
    """

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, dtype=np.uint8)
        self._said: dict[int, str] = {}

    def note(self, rows: np.ndarray, statuses: Sequence[str]) -> None:
        """Remember what these rows were worth."""
        for row, status in zip(rows.tolist(), statuses, strict=True):
            if status == "missing":
                self._codes[row] = MISSING
            elif status != "ok":
                self._said[row] = sys.intern(status)  # one text however many rows say it
                self._codes[row] = SAID

    def repeat(self, row: int, earlier: int) -> None:
        """Let a row's cell be worth what an earlier row's was."""
        if self._codes[earlier] == SAID:
            self._said[row] = self._said[earlier]
        self._codes[row] = self._codes[earlier]

    def unreadable(self, rows: np.ndarray) -> Iterator[tuple[int, str]]:
        """Those of these rows whose cell could not be read, and why."""
        for row in rows[self._codes[rows] == SAID].tolist():
            if self._said[row].startswith("unreadable"):
                yield row, self._said[row]

    def __getitem__(self, row: int) -> str:
        code = self._codes[row] if 0 <= row < len(self._codes) else OK
        if code == OK:
            raise KeyError(row)
        return "missing" if code == MISSING else self._said[row]

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._codes).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._codes))
