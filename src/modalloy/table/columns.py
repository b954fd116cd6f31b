"""The columns of a table in, what is wrong with each of them out."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.build import fit_reader
from modalloy.table.finding import (
    LISTS,
    Finding,
    counted,
    finding,
    inputs,
    read_columns,
    share,
    spread,
    values,
)
from modalloy.table.marks import says_nothing
from modalloy.table.names import names_rows
from modalloy.table.number import to_number
from modalloy.table.reader import empty
from modalloy.table.split import Parts
from modalloy.table.stray import marks_told
from modalloy.table.table import Table
from modalloy.table.text import to_words

READ = 50_000  # rows whose cells are read one by one
CODES = 1_000  # cells that are looked at to tell a text from a code
FEW = 20  # cells that may all differ without naming rows
MOSTLY = 0.5  # share of missing cells that deserves more than a note
HARDLY = 0.05  # share of missing cells under which an otherwise constant column teaches nothing
CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9_.:/#-]{1,64}")  # one word with a digit, as codes are
OneValue = config.Number | config.Category | config.Time | config.Vector


def column_findings(job: config.Job, table: Table, parts: Parts) -> Iterator[Finding]:
    """Empty, constant, identifying and partly missing columns; cells that cannot be read."""
    readers, hopeless = read_columns(job), set()
    targets = {goal.target for goal in job.tasks.values()}
    for column in table.columns:
        if column in targets:
            continue
        for found in _one_column(column, readers.get(column), table, parts):
            hopeless |= {column} if found.level == "error" else set()
            yield found
    for name, options in inputs(job).items():
        if name in hopeless:
            continue
        if isinstance(options, OneValue):
            yield from _plain_cells(name, options, table, parts)
        if isinstance(options, config.Tokens):
            yield from _words(name, table, parts)


def _one_column(column: str, options: Any, table: Table, parts: Parts) -> Iterator[Finding]:
    """What the pattern of different and missing cells shows."""
    rows = np.concatenate(parts)
    if table.kind(column) in ("list", "other"):
        rows = spread(rows, LISTS)
    codes, distinct = values(table, column, rows)
    lacking = rows[codes < 0]
    if distinct == 0:
        level = "note" if options is None else "error"
        yield finding(level, column, "every cell is empty; leave the column out")
        return
    if options is not None and not (codes[np.isin(rows, parts.train)] >= 0).any():
        yield finding("error", column, "every training cell is empty; leave the column out")
        return
    lists = table.kind(column) in ("list", "other")
    same = distinct == 1 and len(rows) > 1 and not lists
    if len(lacking):
        known = options is not None
        level = "warning" if known and len(lacking) > MOSTLY * len(rows) else "note"
        what = f"{share(len(lacking), len(rows))} of the cells are missing"
        if same:
            level = "warning" if known and len(lacking) < HARDLY * len(rows) else level
            value = table.cells(column, rows[codes >= 0][:1])[0]
            what = f"{what}, the others all hold {value!r:.40}: it only tells whether it is there"
        yield finding(level, column, what, lacking)
    if lists:
        return
    if same and not len(lacking):
        level = "note" if options is None else "warning"
        value = table.cells(column, rows[:1])[0]
        yield finding(level, column, f"every cell holds {value!r:.40}; it teaches nothing")
    elif options is not None and _tells_rows_apart(column, options, table, rows, codes):
        yield finding(
            "warning",
            column,
            f"all {distinct} values differ: it names rows instead of describing them; give it "
            "type: ignore",
        )


def _tells_rows_apart(
    column: str, options: Any, table: Table, rows: np.ndarray, codes: np.ndarray
) -> bool:
    """Whether an input is an identifier: a name of its own for each row, or a running number."""
    filled = int((codes >= 0).sum())
    if filled < FEW or len(np.unique(codes[codes >= 0])) < filled:
        return False
    match options:
        case config.Category():
            return True
        case config.Text() if table.kind(column) == "text":
            some = [c for c in table.cells(column, spread(rows, CODES)) if not empty(c)]
            return all(CODE.fullmatch(c.strip()) for c in some)
        case config.Number() if table.kind(column) == "number":
            x = table.numbers(column)
            x = x[np.isfinite(x)]
            whole = len(x) == filled and bool((x == np.floor(x)).all())
            return whole and (names_rows(column) or np.ptp(x) < 2 * filled)
        case _:
            return False


def _plain_cells(name: str, options: OneValue, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells that training would take as missing because they are not what the job says."""
    train = spread(parts.train, READ)
    try:
        reader = fit_reader(name, options, lambda columns: table.take(columns, train))
    except TableError as error:
        number = isinstance(options, config.Number)
        texts = [to_number(c) is None for c in table.cells(name, train)] if number else []
        yield finding("error", name, str(error), train[: len(texts)][texts])
        return
    rows = spread(np.concatenate(parts), READ)
    if isinstance(options, config.Number) and table.kind(name) == "text":
        yield from _marks(name, table, rows)
    read = reader.read(table.take(reader.columns, rows)) if reader else None
    status = np.array(read.status if read else [], dtype=object)
    bad = np.array([s.startswith("unreadable") for s in status], dtype=bool)
    if bad.any():
        why = str(status[bad][0]).removeprefix("unreadable: ")
        what = f"{counted(int(bad.sum()), 'cell')} that cannot be read as {options.type}: {why}"
        yield finding("warning", name, what, rows[bad])
    if isinstance(options, config.Number) and table.kind(name) == "number":
        endless = np.isinf(table.numbers(name, rows))
        if endless.any():
            what = f"{counted(int(endless.sum()), 'cell')} with infinite numbers, taken as missing"
            yield finding("warning", name, what, rows[endless])


def _marks(name: str, table: Table, rows: np.ndarray) -> Iterator[Finding]:
    """Cells of a column of numbers that only say that there is no value."""
    cells = table.cells(name, rows)
    if told := marks_told(cells):
        yield finding("note", name, told, rows[[says_nothing(c) for c in cells]])


def _words(name: str, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells of a tokens column that hold no list of words."""
    rows = spread(np.concatenate(parts), READ)
    found = [None if empty(c) else to_words(c) for c in table.cells(name, rows)]
    bad = np.array([isinstance(words, str) for words in found], dtype=bool)
    if bad.any():
        why = next(words for words in found if isinstance(words, str))
        yield finding(
            "warning", name, f"{counted(int(bad.sum()), 'cell')} taken as missing: {why}", rows[bad]
        )
