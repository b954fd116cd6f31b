"""Answers wherever Python runs: a bundle as a function of rows, for one process or for many.

`import modalloy.runtime` loads nothing heavy, and answering with a bundle needs neither torch,
transformers nor scikit-learn.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from modalloy.errors import TableError
from modalloy.machine.limits import refuse_threads

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from modalloy.answer.predictor import Predictor

__all__ = ["Answerer", "answerer", "open"]

Key = tuple[str, str | None, str, int | None]
Stamp = tuple[int, int, int]
_LOADED: dict[Key, tuple[Stamp | None, "Predictor"]] = {}  # opened once, however many ask
_LOADING = threading.Lock()


def _forget() -> None:
    """In a child that was forked: sessions have lost their threads, and a lock its holder."""
    global _LOADING
    _LOADED.clear()
    _LOADING = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def open(
    path: str | Path,
    *,
    trust: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> "Predictor":
    """A bundle, or a run where torch is installed, loaded and ready; see `Predictor`.

    trust: a file with the public key (PEM) that the bundle must be signed with. device: `cpu`,
    `gpu`, `npu`, or `auto` for the fastest that is here. threads: that its graphs may use, one for
    each core of this process for None. BundleError where it is damaged, unsafe, of a newer version
    or not trusted, and for a device that is not here; JobError for less than one thread.
    `engine.notes` and `engine.caveats` of what is opened say what of it could not be checked.
    """
    from modalloy.answer.predictor import Predictor
    from modalloy.bundle.bundled import load_any

    refuse_threads(threads)
    key = None if trust is None else Path(trust)
    loaded = load_any(path, trust=key, device=device)
    return Predictor(loaded, device=device, threads=threads)


def answerer(
    path: str | Path,
    *,
    keep: Sequence[str] = (),
    trust: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> "Answerer":
    """A bundle as a small object to send to other processes; nothing is read before it is asked.

    keep: columns of the rows that stand beside their answers, such as a key to join by; TableError
    where these are no list of different names. trust, device, threads: as for `open`.
    """
    return Answerer(path, keep=keep, trust=trust, device=device, threads=threads)


class Answerer:
    """Rows in, their answers out: a pandas frame for a frame, Arrow for Arrow.

    It pickles as its path and options. A process opens the bundle when it is first asked, once for
    all its answerers of the same bundle, and anew where another one has been put in its place; a
    forked child opens its own. It may ask from several threads. Answers are the columns
    of `Predictor.frame`, after those in `keep`; `row` counts the rows that were handed over
    together. A path is looked for on the machine that answers, media files too: where they start is
    the working folder, so give whole paths there, or the files' bytes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        keep: Sequence[str] = (),
        trust: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        refuse_threads(threads)
        self.path, self.keep = str(Path(path).absolute()), kept_names(keep)
        self.device, self.threads = device, threads
        self.trust = None if trust is None else str(Path(trust).absolute())

    def __repr__(self) -> str:
        return f"answerer({self.path!r})"

    @property
    def predictor(self) -> "Predictor":
        """The bundle that lies there now, opened in this process."""
        key = (self.path, self.trust, self.device, self.threads)
        with _LOADING:
            stamp = stamp_of(Path(self.path))
            if key not in _LOADED or _LOADED[key][0] != stamp:
                given = {"trust": self.trust, "device": self.device, "threads": self.threads}
                _LOADED[key] = stamp, open(self.path, **given)
            return _LOADED[key][1]

    @overload
    def __call__(self, rows: "pd.DataFrame") -> "pd.DataFrame": ...
    @overload
    def __call__(self, rows: "pa.Table") -> "pa.Table": ...
    @overload
    def __call__(self, rows: "pa.RecordBatch") -> "pa.RecordBatch": ...
    def __call__(self, rows: Any) -> Any:
        """Answers to rows, one each and in their order; a frame keeps its index.

        No rows give no answers, of the same columns. TableError for rows
        that have none of the columns that are read, or lack one in `keep`, and for one in `keep`
        that is called as a column of the answers is.
        """
        import pandas as pd
        import pyarrow as pa

        if isinstance(rows, pd.DataFrame):
            return self._frame(rows)
        if isinstance(rows, pa.RecordBatch):
            table = self(pa.Table.from_batches([rows]))
            return table.combine_chunks().to_batches()[0] if len(table) else empty_batch(table)
        if not isinstance(rows, pa.Table):
            raise TableError(
                "an answerer takes a pandas frame, an Arrow table or an Arrow batch, not "
                f"{type(rows).__name__}."
            )
        self._refuse_lack(rows.column_names)
        answers = self._answered(rows, rows.column_names, rows.num_rows)
        found = pa.Table.from_pandas(answers, preserve_index=False)
        for at, name in enumerate(self.keep):
            found = found.add_column(at, rows.schema.field(name), rows.column(name))
        return found.replace_schema_metadata(None)

    def each(self, frames: "Iterable[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        """Answers to one frame after another, as Spark's `mapInPandas` asks for them."""
        yield from map(self, frames)

    def _frame(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """A frame answered as a frame."""
        import pandas as pd

        self._refuse_lack(list(rows.columns))
        answers = self._answered(rows, list(rows.columns), len(rows)).set_axis(rows.index)
        attrs = answers.attrs
        found = pd.concat([rows[list(self.keep)], answers], axis=1) if self.keep else answers
        found.attrs = attrs
        return found

    def _answered(self, rows: Any, columns: Sequence[str], count: int) -> "pd.DataFrame":
        """The answers; of no rows, of one that lacks everything, which is then left out.

        TableError for a column in `keep` that is called as a column of the answers is.
        """
        if count:
            found = self.predictor.frame(rows)
        else:
            found = self.predictor.frame({name: [None] for name in columns}, part=slice(0, 0))
        for name in self.keep:
            if name in found.columns:
                raise TableError(
                    f"keep: the answers have a column '{name}' of their own; rename it in the rows."
                )
        return found

    def _refuse_lack(self, columns: Sequence[str]) -> None:
        """TableError for a column in `keep` that rows lack, or have twice."""
        for name in self.keep:
            if name not in columns:
                raise TableError(f"keep: the rows have no column '{name}'.")
            if list(columns).count(name) > 1:
                raise TableError(f"keep: the rows have two columns '{name}'; rename one of them.")


def kept_names(keep: Sequence[str]) -> tuple[str, ...]:
    """The columns to keep; TableError where they are no list of different names."""
    if isinstance(keep, str):
        raise TableError(f"keep: give a list of columns, as in keep=[{keep!r}], not one text.")
    names = tuple(keep)
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"keep: names the column '{name}' twice; name each one once.")
    return names


def empty_batch(table: "pa.Table") -> "pa.RecordBatch":
    """A batch without rows, of a table's columns."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(
        [pa.array([], field.type) for field in table.schema], schema=table.schema
    )


def stamp_of(path: Path) -> Stamp | None:
    """What tells one file from another that took its place: time (ns), bytes, inode.

    Of a folder that of the file which names all others; None where nothing lies there.
    """
    for one in (path / "manifest.json", path / "run.json", path):
        try:
            found = os.stat(one)
        except OSError:
            continue
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None
