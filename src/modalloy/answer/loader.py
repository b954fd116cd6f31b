"""Batches of rows, read ahead in threads; what is costly to read is kept for the next epoch."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from modalloy.answer.by_content import ByContent
from modalloy.answer.cache import Budget, Cache
from modalloy.answer.cell_status import Statuses
from modalloy.answer.content_store import ContentStore, store_of
from modalloy.answer.kept_cells import Kept
from modalloy.answer.padding import pad_together
from modalloy.answer.read_ahead import read_ahead
from modalloy.answer.recalled import recalled
from modalloy.cells.cells import Cells, empty
from modalloy.cells.window import Window
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import input_columns, kept_together
from modalloy.machine.limits import cores
from modalloy.media.media import Source, source_of
from modalloy.readers.batch import TABLE, ArrayBatch, Arrays, chosen_inputs, inputs_of
from modalloy.readers.build import TABULAR, in_order, read_table
from modalloy.readers.category import CategoryReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.target_means import fold_of
from modalloy.table.table import Table

COSTLY = ("image", "audio", "series")  # worth a place on disk once decoded
ONE_A_ROW = ("classify", "regress")  # tasks whose labels are few numbers a row, read once
FILES = ("image", "audio")  # a cell names or holds one file, which says all of it
NAMED = ("text", "image", "audio")  # a cell is a string: the same string is the same input
STRINGS_AT_ONCE = 8192  # rows whose strings are held at once
TABULAR_CELLS_KEPT = 100_000_000  # plain cells read once and held in memory, 5 bytes each
COMING = 1024  # batches after one whose plain cells may be read with its own


class Features(Protocol):
    """What a frozen encoder says of each row of an input, as far as `kept` holds it."""

    kept: Cache
    blank: Arrays | None  # of a row without the input; None before any was seen
    by_content: ByContent | None  # what is kept for later runs too

    def get(self, row: int) -> Arrays | None:
        """The arrays of a row, or None where they were not kept."""

    def make(self, rows: Sequence[Arrays]) -> list[Arrays | None]:
        """The arrays of each of these rows, from its own arrays as they were read.

        None for one without the input while none was seen.
        """

    def see(self, arrays: Arrays) -> None:
        """Learn from the features of a row what those of rows without the input look like."""

    def keep(self, row: int, arrays: Arrays) -> bool:
        """Keep the arrays of a row; whether there was room."""

    def keep_in(self, store: ContentStore | None) -> None:
        """Keep features by content in a store from now on."""


class Loader:
    """The rows of one table as batches of one model.

    targets: task -> target reader, empty for prediction. strict: an unreadable cell stops with its
    row instead of counting as a missing one. cache_gb: disk for decoded cells and frozen features
    of all inputs together. What an input with an entry in `features` gives are these, never its
    cells as they were read. hidden: columns of the job whose cells count as missing in every row;
    what no other column needs of the table is never read. After `remember`, what frozen
    encoders say is kept for later runs too.
    """

    def __init__(
        self,
        table: Table,
        job: config.Job,
        readers: Mapping[str, Reader],
        targets: Mapping[str, Any],
        *,
        strict: bool = False,
        cache_gb: float = 0.0,
        folder: Path | None = None,
        hidden: Collection[str] = (),
    ) -> None:
        self.table, self.job = table, job
        self.readers, self.targets, self.strict = readers, targets, strict
        self.inputs = inputs_of(readers)
        tabular = {n: r for n, r in readers.items() if r.kind in TABULAR}
        self.tabular = list(in_order(tabular).values())
        self.media = [readers[i] for i in self.inputs if i != TABLE]
        self.budget, self.folder = Budget(cache_gb), folder
        self.decoded = {r.name: self.cache() for r in self.media if r.kind in COSTLY}
        self.features: dict[str, Features] = {}
        self.store: ContentStore | None = None
        self.hidden = frozenset(hidden)
        reads = input_columns(job)
        shown = {c for n, some in reads.items() if n not in self.hidden for c in some}
        self._unread = {c for n in self.hidden for c in reads[n]} - shown
        self.status = {name: Statuses(table.rows) for name in readers}
        self._tabular = Kept(table.rows, sum(len(r.columns) for r in self.tabular))
        self._labels = {n: Kept(table.rows) for n, t in targets.items() if t.kind in ONE_A_ROW}

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        """Threads that decode files; a loader of rows without files never has them."""
        return ThreadPoolExecutor(max_workers=cores())

    def remember(self) -> None:
        """Let what frozen encoders say be kept by content, as far as the job allows."""
        self.store = store_of(self.job.train.remember_gb)
        for features in self.features.values():
            features.keep_in(self.store)

    def cache(self) -> Cache:
        """A new cache on the common budget."""
        return Cache(self.budget, self.folder)

    def anew(self) -> "Loader":
        """The same rows, of which nothing was read yet: what this loader keeps stays with it."""
        given = (self.table, self.job, self.readers, self.targets)
        other = Loader(*given, strict=self.strict, hidden=self.hidden)
        other.features = dict(self.features)
        return other

    def shows(self, name: str) -> bool:
        """Whether anything of an input may be seen: of `TABLE`, any of its columns."""
        columns = [r.name for r in self.tabular] if name == TABLE else [name]
        return not self.hidden.issuperset(columns)

    def take_over(self, earlier: "Loader") -> None:
        """Share the caches of other rows of the same table, where the readers are the same.

        What was kept for other readers is let go of, so that all stays within one budget.
        """
        self.budget = earlier.budget
        for cache in self.decoded.values():
            cache.close()
        same = {n for n, r in self.readers.items() if earlier.readers.get(n) == r}
        for name in [n for n in earlier.features if n not in same]:
            earlier.features.pop(name).kept.close()
        for name in [n for n in earlier.decoded if n not in same]:
            earlier.decoded.pop(name).close()
        self.features = dict(earlier.features)
        self.decoded = {n: earlier.decoded.get(n) or self.cache() for n in self.decoded}
        self.status |= {n: earlier.status[n] for n in same}

    def batch(
        self,
        rows: np.ndarray,
        *,
        inputs: Iterable[str] | None = None,
        coming: Sequence[np.ndarray] = (),
    ) -> ArrayBatch:
        """These rows, padded to the longest of them; `coming` are the batches after this one.

        inputs: those to read, all of them for None; no cell of the others is read. Plain columns
        are one input, `TABLE`. JobError for a name that is no input.
        """
        values, present = {}, {}
        for name in chosen_inputs(inputs, self.readers):
            if name == TABLE:
                values[name], present[name] = self._read_tabular(rows, coming)
            else:
                values[name], present[name] = self._read_media(self.readers[name], rows)
        targets = {name: self._read_target(name, rows, coming) for name in self.targets}
        batch = ArrayBatch(values, present, targets, rows)
        return batch.without(self.hidden, [r.name for r in self.tabular]) if self.hidden else batch

    def stream(
        self, order: Iterable[np.ndarray], *, inputs: Iterable[str] | None = None
    ) -> Iterator[ArrayBatch]:
        """Batches in the given order; the next few are read while this one is worked on.

        inputs: as in `batch`.
        """
        batches = list(order)
        wanted = chosen_inputs(inputs, self.readers)

        def read(at: int) -> ArrayBatch:
            coming = batches[at + 1 : at + 1 + COMING]
            return self.batch(batches[at], inputs=wanted, coming=coming)

        return read_ahead(read, range(len(batches)))

    def lengths(
        self, rows: np.ndarray, *, inputs: Iterable[str] | None = None
    ) -> np.ndarray | None:
        """Characters (or words) of all text of each row, or None where no text is asked for."""
        wanted = chosen_inputs(inputs, self.readers)
        texts = [r.name for r in self.media if r.kind in ("text", "tokens") and r.name in wanted]
        if not texts:
            return None
        found = np.zeros(len(rows), dtype=np.int64)
        for start in range(0, len(rows), STRINGS_AT_ONCE):
            cells = self.cells(texts, rows[start : start + STRINGS_AT_ONCE])
            for name in texts:
                found[start : start + len(cells)] += [length_of(c) for c in cells[name]]
        return found

    def origins(self, name: str, which: np.ndarray) -> np.ndarray:
        """For each of these rows, the first of them with the same text or path in this input."""
        reader, found = self.readers[name], which.copy()
        if reader.kind not in NAMED:
            return found
        first: dict[bytes, int] = {}
        for start in range(0, len(which), STRINGS_AT_ONCE):
            some = which[start : start + STRINGS_AT_ONCE]
            for k, cell in enumerate(self.cells(reader.columns, some)[name]):
                if cell is None or isinstance(cell, str):
                    key = hashlib.blake2b(repr(cell).encode(), digest_size=16).digest()
                    found[start + k] = first.setdefault(key, int(some[k]))
        return found

    def repeat(self, name: str, row: int, earlier: int) -> None:
        """Note that a cell is as an earlier row's was."""
        self.status[name].repeat(row, earlier)

    def labelled(self, which: np.ndarray) -> np.ndarray:
        """Those of these rows that at least one task can learn from."""
        known = [self._read_target(name, which)["known"] for name in self.targets]
        return which[np.any(known, axis=0)]

    def cells(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """Cells as a reader wants them, windows over rows where a series has a history.

        A column that the table lacks is missing everywhere; only prediction comes here with one.
        """
        have = set(self.table.columns) - self._unread
        tabular = [c for c in columns if not self._history(c) and c in have]
        taken = self.table.take(tabular, rows)
        cells = dict(taken.columns)
        for column in columns:
            if column not in cells:
                cells[column] = self._window(column, rows, have)
        return replace(taken, columns=cells, allow_outside=self.job.allow_outside)

    def _history(self, column: str) -> bool:
        options = self.job.columns.get(column)
        return isinstance(options, config.Series) and options.history is not None

    def _window(self, column: str, rows: np.ndarray, have: set[str]) -> Sequence[Window | None]:
        options = self.job.columns.get(column)
        if column in self.hidden:
            return [None] * len(rows)
        if not isinstance(options, config.Series) or options.history is None:
            return [None] * len(rows)
        channels, history = options.channels or (column,), options.history
        if not have.issuperset((*channels, *history.by, history.order)):
            return [None] * len(rows)
        reader = self.readers.get(column)
        if not isinstance(reader, SeriesReader):  # it is being fitted
            return self.table.window(channels, history, rows)
        return self.table.window(channels, history, rows, reader.order_form, strict=False)

    def _read_tabular(
        self, rows: np.ndarray, coming: Sequence[np.ndarray]
    ) -> tuple[Arrays, np.ndarray]:
        read = self._tabular_arrays
        few = len(self.tabular) * self.table.rows <= TABULAR_CELLS_KEPT
        arrays = self._tabular.get(rows, read, coming) if few else read(rows)
        for reader in self.tabular:
            self._refuse_unreadable(reader.name, rows)
        arrays = dict(arrays)
        return arrays, arrays.pop("present")

    def _tabular_arrays(self, rows: np.ndarray) -> Arrays:
        columns = dict.fromkeys(c for r in self.tabular for c in r.columns)
        read = read_table(self.tabular, self.cells(list(columns), rows))
        for reader, status in zip(self.tabular, read.status, strict=True):
            self.status[reader.name].note(rows, status)
        known = any(isinstance(r, CategoryReader) and r.answers for r in self.tabular)
        fold = {"fold": self.folds(rows)} if known and self.targets else {}
        return {**read.values, **fold, "present": read.present}

    def folds(self, rows: np.ndarray) -> np.ndarray:
        """The fold that each row is in where a category shows what other rows answered, (B,).

        Rows that belong together are in one: none of them may tell what another one answers.
        """
        return fold_of(rows if self._groups is None else self._groups[rows])

    @cached_property
    def _groups(self) -> np.ndarray | None:
        by = kept_together(self.job)
        if not by or not {*by} <= {*self.table.columns}:  # another table, which nothing learns from
            return None
        codes = np.stack([self.table.codes(column)[0] for column in by], axis=1)
        return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)

    def _read_media(self, reader: Reader, rows: np.ndarray) -> tuple[Arrays, np.ndarray]:
        features = self.features.get(reader.name)
        if features is None:
            found = self.arrays(reader.name, rows)
        else:
            found = self._read_features(features, reader.name, rows)
        arrays = pad_together(found)
        return arrays, arrays.pop("present").squeeze(1)

    def _read_features(self, features: Features, name: str, rows: np.ndarray) -> list[Arrays]:
        found = [features.get(int(r)) for r in rows]
        absent = np.array([i for i, f in enumerate(found) if f is None], dtype=np.int64)
        if len(absent):
            known, read = recalled(self, name, features.by_content, rows[absent])
            if known:
                features.see(next(iter(known.values())))
            made = known | dict(zip(read, features.make(list(read.values())), strict=True))
            for i in absent:
                found[i] = made[int(rows[i])]
            if all(f is None for f in found):  # no row ever had this input: its arrays are zeros
                return [read[int(row)] for row in rows]
        return [f for f in found if f is not None]

    def files(self, name: str, rows: np.ndarray) -> dict[int, Source]:
        """The files that cells of a media input name or hold, by row; no cell is decoded.

        Rows without one, or whose cell names none, are left out.
        """
        reader = self.readers[name]
        if reader.kind not in FILES:
            return {}
        cells, found = self.cells(reader.columns, rows), {}
        for row, cell in zip(rows.tolist(), cells[name], strict=True):
            if not empty(cell):
                with suppress(TableError):
                    found[row] = source_of(cell, cells.folder, cells.allow_outside)
        return found

    def arrays(self, name: str, rows: np.ndarray) -> list[Arrays]:
        """Cells of a media input as its reader reads them, one by one, with `present` (1,)."""
        reader = self.readers[name]
        kept = None if name in self.features else self.decoded.get(name)
        found = [kept.get(int(r)) if kept is not None else None for r in rows]
        absent = np.array([i for i, f in enumerate(found) if f is None], dtype=np.int64)
        if len(absent):
            cells = self.cells(reader.columns, rows[absent])
            costly = reader.kind in COSTLY and len(absent) > 1
            run = self._workers.map if costly else map
            one = [
                replace(cells, columns={c: [v[i]] for c, v in cells.columns.items()})
                for i in range(len(absent))
            ]
            for i, read in zip(absent, run(reader.read, one), strict=True):
                self.status[name].note(rows[i : i + 1], read.status)
                self._refuse_unreadable(name, rows[i : i + 1])
                arrays = {n: a[0] for n, a in read.values.items()} | {"present": read.present[:1]}
                if kept is not None:
                    kept.put(int(rows[i]), arrays)
                found[i] = arrays
        return [f for f in found if f is not None]

    def _read_target(
        self, name: str, rows: np.ndarray, coming: Sequence[np.ndarray] = ()
    ) -> Arrays:
        target, kept = self.targets[name], self._labels.get(name)

        def read(some: np.ndarray) -> Arrays:
            return target.read(self.cells(target.columns, some))

        arrays = read(rows) if kept is None else kept.get(rows, read, coming)
        return {n: np.ascontiguousarray(a) for n, a in arrays.items()}

    def _refuse_unreadable(self, column: str, rows: np.ndarray) -> None:
        if not self.strict:
            return
        for row, status in self.status[column].unreadable(rows):
            raise TableError(
                f"{self.table.source}: column '{column}', row {row}: {status}. Mend the file, or "
                "set unreadable: missing to train without such cells."
            )


def length_of(cell: Any) -> int:
    """Characters of a text cell, whatever it parsed as, or the number of its words."""
    if empty(cell):
        return 0
    return len(cell) if isinstance(cell, str | list | np.ndarray) else len(str(cell))
