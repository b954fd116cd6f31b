"""The table: cells of any rows and columns, however large it is.

Two ways to ask for cells: `take` gives them as they are written, for readers that know what the job
says of a column; `cells`, `numbers`, `kind` and the like give what a whole text column looks like,
for `init` and `check`, which have no such word yet.
"""

import copy
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modalloy.cells.bulk import OrderForm
from modalloy.cells.cells import Cells, empty
from modalloy.cells.moments import date_form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.cells.values import MIXED, holds_files, to_python, to_seconds, to_text
from modalloy.cells.window import Recordings, Window
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.options import did_you_mean
from modalloy.table.arrow_store import Batches
from modalloy.table.decimals import Decimal, Verdict, decimal_sign, may_have_commas
from modalloy.table.histories import said_of, sort_recordings
from modalloy.table.typed import looks_like, typed

Kind = Literal["number", "bool", "text", "list", "time", "other"]


class Table:
    """Rows of named columns. Rows are counted from 0; cells that hold nothing are None."""

    def __init__(
        self,
        held: Batches,
        source: str,
        folder: Path,
        *,
        sheet: str | None = None,
        allow_outside: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Wrap rows that were read; `open_table` is the door."""
        self.sheet = sheet
        self.source, self.folder, self.allow_outside = source, folder, allow_outside
        self._held, self._notes = held, notes
        self._decimal: Verdict | None = None
        self._types: dict[str, pa.DataType] = {}
        self._recordings: dict[tuple[Any, ...], Recordings] = {}
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._held.rows

    @property
    def columns(self) -> list[str]:
        """Names of the columns in their order."""
        return list(self._held.schema.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about what was taken for what when the table was read."""
        return (*self._notes, *self._sign().notes)

    @property
    def decimal(self) -> str:
        """The sign before the fraction of a number that is written as text: `.` or `,`."""
        return self._sign().decimal or "."

    def read_as(self, decimal: str | None, numbers: Collection[str]) -> "Table":
        """The same rows, with the decimal sign that these columns of numbers show.

        decimal: that of a training table, which holds unless all of the columns that show a sign
        show the other one; None where there is none, and the whole table is judged where they show
        nothing.
        """
        telling = decimal == "," or may_have_commas(self._texts(numbers))
        own = decimal_sign(self._texts(numbers)) if telling else Verdict(None)
        if decimal is None:
            sign = own if own.decimal is not None else self._sign()
        else:
            clear = own.decimal is not None and not own.both
            sign = own if clear or own.decimal == decimal else Verdict(_sign_of(decimal))
        out = copy.copy(self)
        out._decimal, out._types, out._recordings = sign, {}, {}
        return out

    def _sign(self) -> Verdict:
        if self._decimal is None:
            commas = may_have_commas(self._texts())
            self._decimal = decimal_sign(self._texts()) if commas else Verdict(None)
        return self._decimal

    def _texts(
        self, columns: Collection[str] | None = None
    ) -> Iterator[tuple[str, list[pa.Array]]]:
        """Those of these columns (of all) that are held as text, with their cells."""
        for field in self._held.schema:
            if _written(field.type) and (columns is None or field.name in columns):
                yield field.name, self.arrays(field.name, None)

    def type(self, column: str) -> pa.DataType:
        """The Arrow type of a column; of one that is held as text, the type that its cells have."""
        self.check_columns([column])
        held = self._held.schema.field(column).type
        if not _written(held):
            return held
        if column not in self._types:
            self._types[column] = looks_like(self.arrays(column, None), self.decimal)
        return self._types[column]

    def kind(self, column: str) -> Kind:
        """What the cells of a column are; `other` is raw bytes or records."""
        held = self.type(column)
        if pa.types.is_integer(held) or pa.types.is_floating(held):
            return "number"
        if pa.types.is_boolean(held):
            return "bool"
        if pa.types.is_string(held) or pa.types.is_large_string(held):
            return "text"
        if pa.types.is_list(held) or pa.types.is_large_list(held):
            return "list"
        return "time" if pa.types.is_temporal(held) else "other"

    def holds_files(self, column: str) -> bool:
        """Whether cells hold the bytes of files, or bytes and paths as Hugging Face writes them."""
        held = self.type(column)
        return pa.types.is_binary(held) or pa.types.is_large_binary(held) or holds_files(held)

    def whole(self, column: str) -> bool:
        """Whether a column holds whole numbers, which float64 may not tell apart beyond 2**53."""
        return pa.types.is_integer(self.type(column))

    @property
    def spooled(self) -> Path | None:
        """The temporary folder that a table too large for memory is mapped from."""
        return self._held.folder

    def held_as_text(self, column: str) -> bool:
        """Whether the cells of a column are held as they were written, or partly so."""
        return _written(self._held.schema.field(column).type)

    def unfit(
        self, column: str, rows: np.ndarray | None, at: int, cell: Any, what: str
    ) -> TableError:
        """What to say of the cell at this place among some rows that is not what it should be."""
        row = at if rows is None else int(rows[at])
        return TableError(
            f"{self.source}: column '{column}', row {row}: {cell!r:.60} {what}. Mend the cell or "
            "empty it."
        )

    @property
    def row_bytes(self) -> float:
        """Mean size of a row as it is held, media files not counted."""
        return sum(b.nbytes for b in self._held.batches) / self.rows

    def check_columns(self, names: Iterable[str]) -> None:
        """Raise TableError for names that the table lacks, with the nearest that it has."""
        find = self._held.schema.get_field_index  # its list of names is made anew each time
        absent = [n for n in names if find(n) < 0]
        if absent:
            hints = "; ".join(f"no column '{n}'.{did_you_mean(n, self.columns)}" for n in absent)
            raise TableError(f"{self.source}: {hints} It has {_some(self.columns)}.")

    def cells(self, column: str, rows: np.ndarray | None = None) -> list[Any]:
        """Python values of a column at these rows (all by default), None where there is nothing.

        Text whose cells are all numbers, all times or all truth values comes as such. Empty and
        blank text is nothing. A list of numbers comes as a numpy array (NaN for what is missing
        inside), other lists as lists. NaN in a number column stays NaN.
        """
        return [cell for array in self._looked_at(column, rows) for cell in to_python(array)]

    def written(self, column: str, rows: np.ndarray | None = None) -> list[Any]:
        """The same cells as they are written: text stays text."""
        return [cell for array in self.arrays(column, rows) for cell in to_python(array)]

    def _looked_at(self, column: str, rows: np.ndarray | None) -> list[pa.Array]:
        kind = self.type(column)
        arrays = self.arrays(column, rows)
        if not _written(self._held.schema.field(column).type):
            return arrays
        return [typed(a, kind, self.decimal) for a in arrays]

    def numbers(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Float64 of a number, true/false or text column, NaN where there is nothing.

        Raises TableError that names the row of the first text that is no number.
        """
        kind = self.kind(column)
        if kind in ("number", "bool"):
            arrays = [a.cast(pa.float64(), safe=False) for a in self._looked_at(column, rows)]
            return np.concatenate([a.to_numpy(zero_copy_only=False) for a in arrays])
        if kind != "text":
            raise TableError(f"{self.source}: column '{column}' holds no numbers but {kind}.")
        cells = self.written(column, rows)
        found = [to_number(c, self.decimal) for c in cells]
        if None in found:
            at = found.index(None)
            raise self.unfit(column, rows, at, cells[at], "is no number")
        return np.array(found, dtype=np.float64)

    def moments(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        """What sorts rows in time: seconds since 1970 of dates and text, numbers as they are.

        Float64, NaN where there is nothing. 05/04/2024 is read as the column's other cells allow.
        Raises TableError that names the row of the first text that is no date.
        """
        held = self.type(column)
        if pa.types.is_date(held) or (pa.types.is_timestamp(held) and held.tz is None):
            return np.concatenate([to_seconds(a) for a in self._looked_at(column, rows)])
        if self.kind(column) != "time":
            try:
                return self.numbers(column, rows)
            except TableError:
                if self.kind(column) != "text":
                    raise
        cells = self.written(column, rows)
        form = date_form(cells if rows is None else self.written(column))
        found = [to_moment(c, form) for c in cells]
        seconds = np.full(len(found), np.nan)
        for at, moment in enumerate(found):
            if isinstance(moment, str):
                raise self.unfit(column, rows, at, cells[at], "is no date")
            if moment is not None:
                seconds[at] = (moment - datetime(1970, 1, 1)).total_seconds()
        return seconds

    def codes(self, column: str) -> tuple[np.ndarray, list[Any]]:
        """For each row the number of its value in the list of different values, -1 for none.

        Values are in the order of their first row; text is one as it is written. Raises TableError
        for a column of lists.
        """
        if self.kind(column) in ("list", "other"):
            raise TableError(f"{self.source}: column '{column}' holds lists, which name nothing.")
        arrays = [self._named(column, a) for a in self.arrays(column, None)]
        coded = pa.chunked_array(arrays).dictionary_encode().unify_dictionaries()
        indices = [c.indices.fill_null(-1).to_numpy(zero_copy_only=False) for c in coded.chunks]
        names = coded.chunk(0).dictionary.to_pylist()
        codes = np.concatenate(indices).astype(np.int64)
        nothing = [i for i, n in enumerate(names) if empty(n)]  # NaN beside null
        codes[np.isin(codes, nothing)] = -1
        return codes, names

    def _named(self, column: str, array: pa.Array) -> pa.Array:
        """Cells as what tells them apart: text without its margins, NA among numbers nothing."""
        kind = self.type(column)
        if not _written(array.type):
            return array
        texts = pc.utf8_trim_whitespace(to_text(array))
        if pa.types.is_string(kind):
            return texts
        nothing = typed(array, kind, self.decimal).is_null()
        return pc.if_else(nothing, pa.scalar(None, texts.type), texts)

    def take(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """Cells of several columns, as readers take them."""
        self.check_columns(columns)
        found = {c: self.written(c, rows) for c in columns}
        return Cells(found, self.folder, self.allow_outside, self.decimal)

    def select(self, rows: np.ndarray) -> "Table":
        """A table of these rows alone, in memory; its rows are counted anew."""
        schema = self._held.schema
        columns = [pa.concat_arrays(self.arrays(c, rows)) for c in schema.names]
        held = Batches([pa.RecordBatch.from_arrays(columns, schema=schema)], schema)
        some = Table(
            held, self.source, self.folder, sheet=self.sheet, allow_outside=self.allow_outside
        )
        some._decimal = self._sign()
        return some

    def renamed(self, names: Mapping[str, str]) -> "Table":
        """The same rows with some columns called otherwise: name in this table -> new name."""
        out = copy.copy(self)
        out._held = self._held.renamed([names.get(c, c) for c in self.columns])
        out._recordings, out._types = {}, {}
        return out

    def beside(self, name: str, texts: list[str | None], notes: tuple[str, ...]) -> "Table":
        """The same rows with one more column, of texts, and sentences on where they come from."""
        out = copy.copy(self)
        out._held, out._notes = self._held.beside(name, texts), (*self._notes, *notes)
        out._recordings, out._types = {}, {}
        return out

    def replaced(self, name: str, cells: pa.Array) -> "Table":
        """The same rows with other cells in a column; of one kind, in memory."""
        out = copy.copy(self)
        out._held = self._held.replaced(name, cells)
        out._recordings, out._types = {}, {}
        return out

    def window(
        self,
        columns: Sequence[str],
        history: config.History,
        rows: np.ndarray,
        form: OrderForm | None = None,
        *,
        strict: bool = True,
    ) -> list[Window]:
        """For each row the numbers of this row and of the ones before it in its recording.

        Every cell is read as it is written, whatever stands beside it. Rows of one recording have
        the same names in all of `history.by`; a row that lacks one of them is a recording of its
        own. Where recordings repeat across the parts of a split, name the split column in `by` too.
        form: how the cells of `history.order` are written, as training found it; by default this
        table tells. strict: raise TableError where one of these cells is empty, or a channel's cell
        anywhere is no number; otherwise such a row is a recording of its own, such a cell is empty,
        and the window says so. Lists in `by` are always refused.
        """
        key = (tuple(columns), history.by, history.order, self.decimal)
        with self._lock:  # batches are read in threads; the rows are sorted once for all of them
            if (*key, form) not in self._recordings:
                found = sort_recordings(self, columns, history, form)
                self._recordings[*key, form] = self._recordings[*key, found.form] = found
        found = self._recordings[*key, form]
        if strict and found.fault:
            raise TableError(found.fault)
        said = said_of(self, columns, history, rows, found)
        windows = [found.window(int(row), history.rows) for row in rows]
        return [Window(x_CL, found.form, s) for x_CL, s in zip(windows, said, strict=True)]

    def arrays(self, column: str, rows: np.ndarray | None) -> list[pa.Array]:
        """The cells of a column at these rows (all by default) as Arrow arrays, in order."""
        self.check_columns([column])
        held = self._held
        index = held.schema.get_field_index(column)
        if rows is None:
            return [b.column(index) for b in held.batches]
        rows = np.asarray(rows, dtype=np.int64)
        outside = rows[(rows < 0) | (rows >= self.rows)]
        if len(outside):
            raise TableError(f"{self.source}: no row {outside[0]}; rows are 0 to {self.rows - 1}.")
        if len(held.batches) == 1:
            return [held.batches[0].column(index).take(pa.array(rows))]
        which = np.searchsorted(held.starts, rows, side="right") - 1
        order = np.argsort(which, kind="stable")
        parts = []
        for run in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
            if len(run):
                batch = which[run[0]]
                local = pa.array(rows[run] - held.starts[batch])
                parts.append(held.batches[batch].column(index).take(local))
        if not parts:
            return [pa.array([], held.schema.types[index])]
        whole = pa.concat_arrays(parts)
        held.touch(len(rows), whole.nbytes)
        back = np.empty(len(rows), dtype=np.int64)
        back[order] = np.arange(len(rows))
        return [whole.take(pa.array(back))]


def _sign_of(decimal: str) -> Decimal:
    return "," if decimal == "," else "."


def _written(kind: pa.DataType) -> bool:
    """Whether a column is held as text, or partly so."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind.equals(MIXED)


def _some(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
