"""Cells that training could not read as their column's type."""

from collections.abc import Iterator
from typing import Any, assert_never

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.missing_markers import says_nothing
from modalloy.cells.numbers import to_number
from modalloy.checks.column_values import AT_ONCE, LISTS, spread
from modalloy.checks.finding import Finding, counted, finding
from modalloy.checks.malformed_numbers import marks_told
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.build import fit_reader
from modalloy.readers.series import LOOKED_AT, SeriesReader
from modalloy.readers.text import to_words
from modalloy.table.split import Parts
from modalloy.table.table import Table

READ = 50_000  # rows whose cells are read one by one
HOLDS = {"list": "lists", "other": "raw bytes or records"}  # what such kinds of cells are
OneValue = config.Number | config.Category | config.Time | config.Vector


def cell_findings(
    name: str, options: config.Column, table: Table, parts: Parts
) -> Iterator[Finding]:
    """Cells that training would refuse, or take as missing, because they are not what the job says.

    Files that cells name are left to `scan`.
    """
    match options:
        case config.Image() | config.Audio():
            yield from _no_paths(name, options, table)
        case config.Category() | config.Group() if table.kind(name) in HOLDS:
            what = f"holds {HOLDS[table.kind(name)]}, which are no names; give it another type"
            yield finding("error", name, what)
        case config.Number() | config.Category() | config.Time() | config.Vector():
            yield from _one_value(name, options, table, parts)
        case config.Tokens():  # before Text, of which it is a kind
            yield from _words(name, table, parts)
        case config.Text():
            if table.kind(name) in HOLDS:
                held = HOLDS[table.kind(name)]
                what = f"holds {held}, which are no text; lists of words are type: tokens"
                yield finding("error", name, what)
        case config.Series() if options.history is not None:
            yield from _earlier_rows(name, options, options.history, table)
        case config.Series():
            yield from _samples(name, options, table, parts)
            yield from _speeds(options, table, parts)
        case config.Group() | config.Ignore():
            return
        case _:
            assert_never(options)


def _no_paths(name: str, options: config.Image | config.Audio, table: Table) -> Iterator[Finding]:
    """Pictures and sounds are named by a path, or held as bytes; lists and records are neither."""
    if (held := HOLDS.get(table.kind(name))) is None or table.holds_files(name):
        return
    what = {"image": "pictures", "audio": "recordings"}[options.type]
    advice = {
        "list": "samples are type: series, features type: vector",
        "other": "write each to a file of its own and name that file",
    }[table.kind(name)]
    yield finding("error", name, f"holds {held}, where {what} are named by paths; {advice}")


def _one_value(name: str, options: OneValue, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells that are no number, no date or no list of the usual length."""
    train = spread(parts.train, READ)
    try:
        reader = fit_reader(name, options, lambda columns: table.take(columns, train))
    except TableError as error:
        number = isinstance(options, config.Number)
        cells = table.written(name, train) if number else []
        texts = [to_number(c, table.decimal) is None for c in cells]
        yield finding("error", name, str(error), train[: len(texts)][texts])
        return
    rows = spread(np.concatenate(parts), READ)
    if isinstance(options, config.Number):
        yield from _marks(name, table, rows)
    status = reader.read(table.take(reader.columns, rows)).status if reader else []
    yield from _told(name, options.type, rows, status)
    if isinstance(options, config.Number) and table.kind(name) == "number":
        infinite = np.isinf(table.numbers(name, rows))
        if infinite.any():
            what = f"{counted(int(infinite.sum()), 'cell')} with infinite numbers, taken as missing"
            yield finding("warning", name, what, rows[infinite])


def _told(name: str, kind: str, rows: np.ndarray, status: list[str]) -> Iterator[Finding]:
    """One finding on all cells whose status says that they are unreadable."""
    bad = np.array([s.startswith("unreadable") for s in status], dtype=bool)
    if bad.any():
        why = status[int(bad.argmax())].removeprefix("unreadable: ")
        what = f"{counted(int(bad.sum()), 'cell')} that cannot be read as {kind}: {why}"
        yield finding("warning", name, what, rows[bad])


def _marks(name: str, table: Table, rows: np.ndarray) -> Iterator[Finding]:
    """Cells of a column of numbers that only say that there is no value."""
    cells = table.written(name, rows)
    if told := marks_told(cells):
        yield finding("note", name, told, rows[[says_nothing(c) for c in cells]])


def _words(name: str, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells of a tokens column that hold no list of words."""
    rows = spread(np.concatenate(parts), READ)
    found = [None if empty(c) else to_words(c) for c in table.written(name, rows)]
    bad = np.array([isinstance(words, str) for words in found], dtype=bool)
    why = next((words for words in found if isinstance(words, str)), "every list is empty")
    if not any(words and isinstance(words, list) for words in found):
        yield finding("error", name, f"no cell holds words: {why}", rows[bad])
    elif bad.any():
        what = f"{counted(int(bad.sum()), 'cell')} taken as missing: {why}"
        yield finding("warning", name, what, rows[bad])


# --- series --------------------------------------------------------------------------------------


def _samples(name: str, options: config.Series, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells that hold their samples themselves, and hold none or those of other channels."""
    blank = SeriesReader.blank(name, options)
    in_files = any(_names_files(c, table) for c in blank.sources)
    if in_files and len(blank.sources) == 1:
        return
    some = spread(parts.train, LOOKED_AT)
    try:
        reader = SeriesReader.fit(name, options, table.take(blank.columns, some))
    except TableError as error:
        yield finding("error", name, str(error), some)
        return
    if in_files:
        return
    rows = spread(np.concatenate(parts), LISTS)
    status: list[str] = []
    for start in range(0, len(rows), AT_ONCE):
        few = rows[start : start + AT_ONCE]
        status += reader.read(table.take(reader.columns, few)).status
    yield from _told(name, "series", rows, status)


def _names_files(column: str, table: Table) -> bool:
    """Whether some cell is a path, no list and no JSON text of one."""
    if table.kind(column) != "text":
        return False
    given = [c for c in table.cells(column) if not empty(c)]
    return any(not c.lstrip().startswith("[") for c in given)


def _speeds(options: config.Series, table: Table, parts: Parts) -> Iterator[Finding]:
    """Cells of the column of speeds that are no number."""
    if not isinstance(options.rpm, str):
        return
    rows = spread(np.concatenate(parts), READ)
    cells = table.written(options.rpm, rows)
    bad = np.array([to_number(c, table.decimal) is None for c in cells], dtype=bool)
    if bad.any():
        what = f"{counted(int(bad.sum()), 'cell')} of a speed (rpm) that are no number"
        level: Any = "error" if bad.all() else "warning"
        shown = cells[int(bad.argmax())]
        yield finding(level, options.rpm, f"{what}, such as {shown!r:.60}", rows[bad])


def _earlier_rows(
    name: str, options: config.Series, history: config.History, table: Table
) -> Iterator[Finding]:
    """Columns that a series of earlier rows is made of, if they hold no numbers, times or names."""
    try:
        table.window(options.channels or (name,), history, np.arange(0))
    except TableError as error:
        yield finding("error", name, str(error).removeprefix(f"{table.source}: "))
