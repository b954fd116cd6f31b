"""The SQLite file that a row log is kept in: its tables, and its faults in words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modalloy.errors import RunError

PATIENCE_S = 30.0  # that another process may hold the file
TABLES = """
CREATE TABLE IF NOT EXISTS rows (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, at REAL NOT NULL,
    version INTEGER NOT NULL, request TEXT NOT NULL, source TEXT NOT NULL, cells TEXT NOT NULL,
    answers TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rows_at ON rows (at);
CREATE TABLE IF NOT EXISTS labels (
    number INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL, task TEXT NOT NULL,
    label TEXT NOT NULL, source TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS labels_row ON labels (row);
CREATE TABLE IF NOT EXISTS sizes (row TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (row TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (row, name));
CREATE INDEX IF NOT EXISTS files_name ON files (name);
CREATE TABLE IF NOT EXISTS file_sizes (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_waiting ON file_sizes (name) WHERE bytes = 0;
CREATE TABLE IF NOT EXISTS taken (only INTEGER PRIMARY KEY CHECK (only = 1), bytes INTEGER);
INSERT OR IGNORE INTO taken VALUES (1, 0);
CREATE TABLE IF NOT EXISTS dropped (rows INTEGER NOT NULL, until REAL NOT NULL, at REAL NOT NULL);
"""


def open_log(path: Path) -> sqlite3.Connection:
    """The file, made where it is not there; a change is on disk when it is committed."""
    with holding(path.parent):
        base = sqlite3.connect(
            path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.executescript(TABLES)
    return base


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Turn what SQLite says of a file that cannot be used into a sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise RunError(
            f"{folder / 'rows.sqlite'}: cannot be used ({error}); what was kept before is unharmed."
        ) from error
