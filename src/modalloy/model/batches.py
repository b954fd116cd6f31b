"""Row numbers in, batches out: reads cells in threads, keeps what is dear to read, pads rows
together.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalloy import config
from modalloy.errors import TableError
from modalloy.limits import cores
from modalloy.model.cache import Arrays, Cache
from modalloy.model.frozen import FrozenFeatures
from modalloy.model.model import inputs_of
from modalloy.model.tokens import TABLE, Batch
from modalloy.table.build import read_table
from modalloy.table.reader import Cells, Reader, empty
from modalloy.table.table import Table

PLAIN = ("number", "category", "time")
DEAR = ("image", "audio", "series")  # worth a place on disk once decoded
PAD = {"words": -1, "y": -100, "classes": -1}
NAMED = ("text", "image", "audio")  # a cell is a string: the same string is the same input
ORIGINS_AT_ONCE = 8192  # rows whose strings are held at once
PLAIN_CELLS_KEPT = 100_000_000  # plain cells read once and held in memory, 4 bytes each


class Rows:
    """The rows of one table as batches of one model.

    targets: task -> target reader, empty for prediction. strict: an unreadable medium stops with
    its row instead of counting as a missing cell. Statuses of cells are kept only with
    `keep_status`.
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
    ) -> None:
        self.table, self.job = table, job
        self.readers, self.targets, self.strict = readers, targets, strict
        self.inputs = inputs_of(readers)
        self.plain = [r for r in readers.values() if r.kind in PLAIN]
        self.media = [readers[i] for i in self.inputs if i != TABLE]
        dear = [r.name for r in self.media if r.kind in DEAR]
        self.decoded = {n: Cache(cache_gb / len(dear), folder) for n in dear} if cache_gb else {}
        self.features: dict[str, FrozenFeatures] = {}
        self.status: dict[str, dict[int, str]] = {n: {} for n in readers}
        self._plain: Arrays | None = None
        self._labels: dict[str, Arrays] = {}
        self._workers = ThreadPoolExecutor(max_workers=cores())

    def batch(self, rows: np.ndarray) -> Batch:
        """These rows, padded to the longest of them."""
        values, present = {}, {}
        if self.plain:
            values[TABLE], present[TABLE] = self._read_plain(rows)
        for reader in self.media:
            values[reader.name], present[reader.name] = self._read_media(reader, rows)
        targets = {name: self._read_target(name, rows) for name in self.targets}
        return Batch(values, present, targets, rows)

    def stream(self, order: Iterable[np.ndarray], ahead: int = 3) -> Iterator[Batch]:
        """Batches in the given order; the next few are read while this one is worked on."""
        with ThreadPoolExecutor(max_workers=1) as reader:
            waiting: list[Future[Batch]] = []
            for rows in order:
                waiting.append(reader.submit(self.batch, rows))
                if len(waiting) > ahead:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    def lengths(self, rows: np.ndarray) -> np.ndarray | None:
        """Characters (or words) of all text of each row, or None where there is no text column."""
        texts = [r.name for r in self.media if r.kind in ("text", "tokens")]
        if not texts:
            return None
        cells = self.cells(texts, rows)
        return np.sum([[length_of(c) for c in cells[name]] for name in texts], axis=0)

    def origins(self, name: str, which: np.ndarray) -> np.ndarray:
        """For each of these rows, the first of them with the same text or path in this input."""
        reader, found = self.readers[name], which.copy()
        if reader.kind not in NAMED:
            return found
        first: dict[bytes, int] = {}
        for start in range(0, len(which), ORIGINS_AT_ONCE):
            some = which[start : start + ORIGINS_AT_ONCE]
            for k, cell in enumerate(self.cells(reader.columns, some)[name]):
                if cell is None or isinstance(cell, str):
                    key = hashlib.blake2b(repr(cell).encode(), digest_size=16).digest()
                    found[start + k] = first.setdefault(key, int(some[k]))
        return found

    def repeat(self, name: str, row: int, earlier: int) -> None:
        """Note that a cell is as an earlier row's was."""
        if earlier in self.status[name]:
            self.status[name][row] = self.status[name][earlier]

    def labelled(self, which: np.ndarray) -> np.ndarray:
        """Those of these rows that at least one task can learn from."""
        known = [self._read_target(name, which)["known"].numpy() for name in self.targets]
        return which[np.any(known, axis=0)]

    def cells(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """Cells as a reader wants them, windows over rows where a series has a history.

        A column that the table lacks is missing everywhere; only prediction comes here with one.
        """
        have = set(self.table.columns)
        plain = [c for c in columns if not self._history(c) and c in have]
        taken = self.table.take(plain, rows)
        cells = dict(taken.columns)
        for column in columns:
            if column not in cells:
                cells[column] = self._window(column, rows, have)
        return replace(taken, columns=cells, allow_outside=self.job.allow_outside)

    def _history(self, column: str) -> bool:
        options = self.job.columns.get(column)
        return isinstance(options, config.Series) and options.history is not None

    def _window(self, column: str, rows: np.ndarray, have: set[str]) -> Sequence[np.ndarray | None]:
        options = self.job.columns.get(column)
        if not isinstance(options, config.Series) or options.history is None:
            return [None] * len(rows)
        channels, history = options.channels or (column,), options.history
        if not have.issuperset((*channels, *history.by, history.order)):
            return [None] * len(rows)
        return self.table.window(channels, history, rows)

    def _read_plain(self, rows: np.ndarray) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        if len(self.plain) * self.table.rows > PLAIN_CELLS_KEPT:
            return self._plain_tensors(self._plain_arrays(rows), slice(None))
        if self._plain is None:
            self._plain = self._plain_arrays(np.arange(self.table.rows))
        return self._plain_tensors(self._plain, rows)

    def _plain_arrays(self, rows: np.ndarray) -> Arrays:
        columns = dict.fromkeys(c for r in self.plain for c in r.columns)
        read = read_table(self.plain, self.cells(list(columns), rows))
        for reader, status in zip(self.plain, read.status, strict=True):
            self._note(reader.name, rows, status)
        return {**read.values, "present": read.present}

    def _plain_tensors(
        self, arrays: Arrays, rows: np.ndarray | slice
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        tensors = {n: torch.from_numpy(np.ascontiguousarray(a[rows])) for n, a in arrays.items()}
        return tensors, tensors.pop("present")

    def _read_media(
        self, reader: Reader, rows: np.ndarray
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = self.features.get(reader.name)
        if features is None:
            return self._read_cells(reader, rows)
        found = [features.get(int(r)) for r in rows]
        absent = np.array([i for i, f in enumerate(found) if f is None], dtype=np.int64)
        if len(absent):
            made = features.make(*self._read_cells(reader, rows[absent]))
            for i, arrays in zip(absent, made, strict=True):
                found[i] = arrays
        tensors = pad_together([f for f in found if f is not None])
        return tensors, tensors.pop("present").squeeze(1)

    def _read_cells(
        self, reader: Reader, rows: np.ndarray
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        kept = self.decoded.get(reader.name)
        found = [kept.get(int(r)) if kept is not None else None for r in rows]
        absent = np.array([i for i, f in enumerate(found) if f is None], dtype=np.int64)
        if len(absent):
            cells = self.cells(reader.columns, rows[absent])
            run = self._workers.map if reader.kind in DEAR else map
            one = [
                replace(cells, columns={c: [v[i]] for c, v in cells.columns.items()})
                for i in range(len(absent))
            ]
            for i, read in zip(absent, run(reader.read, one), strict=True):
                row = int(rows[i])
                self._note(reader.name, [row], read.status)
                found[i] = {n: a[0] for n, a in read.values.items()}
                found[i]["present"] = read.present[:1]
                if reader.name in self.decoded:
                    self.decoded[reader.name].put(row, found[i])
        tensors = pad_together([f for f in found if f is not None])
        return tensors, tensors.pop("present").squeeze(1)

    def _read_target(self, name: str, rows: np.ndarray) -> dict[str, torch.Tensor]:
        target = self.targets[name]
        if target.kind not in ("classify", "regress"):
            arrays = target.read(self.cells(target.columns, rows))
            return {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in arrays.items()}
        if name not in self._labels:  # one small array a task: read once
            self._labels[name] = target.read(self.cells(target.columns, np.arange(self.table.rows)))
        return {n: torch.from_numpy(a[rows]) for n, a in self._labels[name].items()}

    def _note(self, column: str, rows: Iterable[int], statuses: Sequence[str]) -> None:
        for row, status in zip(rows, statuses, strict=True):
            if status == "ok":
                continue
            self.status[column][int(row)] = status
            if self.strict and status.startswith("unreadable"):
                raise TableError(
                    f"{self.table.source}: column '{column}', row {row}: {status}. Mend the file, "
                    "or set unreadable: missing to train without such cells."
                )


def length_of(cell: Any) -> int:
    """Characters of a text cell, whatever it parsed as, or the number of its words."""
    if empty(cell):
        return 0
    return len(cell) if isinstance(cell, str | list | np.ndarray) else len(str(cell))


def pad_together(rows: list[Arrays]) -> dict[str, torch.Tensor]:
    """Arrays of single rows, zero-padded at their ends to the largest, with rows first."""
    out = {}
    for name in rows[0]:
        arrays = [np.asarray(r[name]) for r in rows]
        if all(a.shape == arrays[0].shape for a in arrays):
            out[name] = torch.from_numpy(np.stack(arrays))
            continue
        shape = tuple(max(sizes) for sizes in zip(*(a.shape for a in arrays), strict=True))
        whole = np.full((len(rows), *shape), PAD.get(name, 0), arrays[0].dtype)
        for i, a in enumerate(arrays):
            whole[(i, *(slice(0, s) for s in a.shape))] = a
        out[name] = torch.from_numpy(whole)
    return out


def epoch_order(
    rows: np.ndarray, batch: int, seed: int, epoch: int, lengths: np.ndarray | None
) -> list[np.ndarray]:
    """The batches of one epoch, shuffled; texts of like length share a batch, so that little is
    padded.

    Depends on its arguments alone, so a resumed run sees the same batches.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(rows))
    if lengths is not None:
        pools = [order[i : i + 50 * batch] for i in range(0, len(order), 50 * batch)]
        order = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools])
    chunks = [rows[order[i : i + batch]] for i in range(0, len(order), batch)]
    if len(chunks) > 1 and len(chunks[-1]) == 1:  # one row has no batch statistics
        chunks[-2:] = [np.concatenate(chunks[-2:])]
    return [chunks[i] for i in rng.permutation(len(chunks))]
