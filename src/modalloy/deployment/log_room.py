"""How much room a row log takes, and which rows go where it would take more than it may."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

EMPTIED = 0.9  # of the room that is allowed, down to which rows go once it is full
AT_ONCE = 2000  # rows that go at a time, at most; the next request goes on
ROW_BYTES = 500  # that a row takes beside its cells and answers


class Room:
    """Bytes of rows and of their files. keep_gb: that they may take."""

    def __init__(self, media: Path, keep_gb: float) -> None:
        self.media, self.most = media, keep_gb * 1e9

    def count(self, base: Connection, row: str, size: int, files: Sequence[str]) -> None:
        """Note what a row takes; a file that several rows hold takes its room once."""
        base.execute(
            "INSERT INTO sizes VALUES (?, ?) ON CONFLICT (row) DO UPDATE SET bytes = bytes + ?",
            (row, size + ROW_BYTES, size + ROW_BYTES),
        )
        more = size + ROW_BYTES
        for name in dict.fromkeys(files):
            if not held(base, name):
                own = (self.media / name).stat().st_size
                base.execute("INSERT OR REPLACE INTO file_sizes VALUES (?, ?)", (name, own))
                more += own
            base.execute("INSERT OR IGNORE INTO files VALUES (?, ?)", (row, name))
        base.execute("UPDATE taken SET bytes = bytes + ?", (more,))

    def make(self, base: Connection, at: float) -> None:
        """Let the oldest rows without a label go where there is more than is allowed; so many at a
        time that whoever waits for its rows to be kept does not wait for long.
        """
        (taken,) = base.execute("SELECT bytes FROM taken").fetchone()
        if taken <= self.most:
            return
        gone, until, left = 0, 0.0, taken
        free = base.execute(
            "SELECT id, at FROM rows WHERE NOT EXISTS (SELECT 1 FROM labels WHERE row = rows.id) "
            "ORDER BY at, number LIMIT ?",
            (AT_ONCE,),
        ).fetchall()
        for row, when in free:
            if left <= EMPTIED * self.most:
                break
            left -= self._let_go(base, row)
            gone, until = gone + 1, when
        base.execute("UPDATE taken SET bytes = ?", (left,))
        if gone:
            base.execute("INSERT INTO dropped VALUES (?, ?, ?)", (gone, until, at))

    def waiting(self, base: Connection) -> bool:
        """Whether files are to be swept."""
        return (
            base.execute("SELECT 1 FROM file_sizes WHERE bytes = 0 LIMIT 1").fetchone() is not None
        )

    def sweep(self, base: Connection) -> None:
        """Remove files that no row holds any more; nobody else may write meanwhile."""
        gone = base.execute("SELECT name FROM file_sizes WHERE bytes = 0").fetchall()
        for (name,) in gone:
            (self.media / name).unlink(missing_ok=True)
            base.execute("DELETE FROM file_sizes WHERE name = ?", (name,))

    def told(self, base: Connection) -> str:
        """What was let go, in a sentence."""
        rows, until = base.execute("SELECT sum(rows), max(until) FROM dropped").fetchone()
        if not rows:
            return ""
        day = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M")
        return (
            f"{rows} rows without a label, up to {day} UTC, were let go, since the log may take "
            f"{self.most / 1e9:g} GB"
        )

    def _let_go(self, base: Connection, row: str) -> int:
        """Bytes that are free without a row. Its own files wait, at no size, to be swept."""
        (freed,) = base.execute("SELECT bytes FROM sizes WHERE row = ?", (row,)).fetchone()
        names = base.execute("SELECT name FROM files WHERE row = ?", (row,)).fetchall()
        for table, key in (("rows", "id"), ("sizes", "row"), ("files", "row")):
            base.execute(f"DELETE FROM {table} WHERE {key} = ?", (row,))
        for (name,) in names:
            if held(base, name):
                continue
            (size,) = base.execute(
                "SELECT bytes FROM file_sizes WHERE name = ?", (name,)
            ).fetchone()
            freed += size
            base.execute("UPDATE file_sizes SET bytes = 0 WHERE name = ?", (name,))
        return freed


def held(base: Connection, name: str) -> bool:
    """Whether some row holds a file."""
    return base.execute("SELECT 1 FROM files WHERE name = ?", (name,)).fetchone() is not None
