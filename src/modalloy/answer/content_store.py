"""Arrays kept by content for later runs and verbs, in one file of bounded size.

The file is a SQLite database in the user's cache folder, as several processes may use it at a time.
It only ever saves work: an entry that is damaged is as though it was never kept, a file that is no
database is begun anew, and one that cannot be written, or is held for long, is left alone.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from modalloy.machine.limits import cache_folder
from modalloy.readers.batch import Arrays

PATIENCE_S = 2.0  # that another process may hold the file
ASKED_AT_ONCE = 500  # keys in one question
TOUCHED_S = 3600  # an entry used longer ago than this is marked as used again
EMPTIED = 0.9  # of the size that is allowed, down to which the oldest entries go
CHECKED = 1 / 32  # of the size that is allowed, after which it is looked at again
DIGEST = 16  # bytes of the checksum before each entry
TABLE = """
CREATE TABLE IF NOT EXISTS kept
    (key BLOB PRIMARY KEY, used INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS kept_used ON kept (used, size);
"""


def features_file() -> Path:
    """Where what frozen encoders say is kept, in the user's cache folder; 1 is its form."""
    return cache_folder() / "features-1.sqlite"


def store_of(most_gb: float) -> "ContentStore | None":
    """The store of this size in the user's cache folder; None of no size."""
    return ContentStore(features_file(), int(most_gb * 1e9)) if most_gb else None


class ContentStore:
    """Arrays by key, about `most_bytes` of them: the ones used longest ago go first. Safe for
    threads.

    Who keeps more than that in one sitting would only push out its own: the rest is not kept.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self.path, self.most_bytes = path, most_bytes
        self._file: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._own_bytes = 0  # kept by this process
        self._counted = -CHECKED * most_bytes  # of these when the file's size was last looked at

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Arrays]:
        """The arrays of those keys that are kept and whole."""
        found: dict[bytes, Arrays] = {}

        def ask(file: sqlite3.Connection) -> None:
            now = int(time.time())
            for some in parts(keys, ASKED_AT_ONCE):
                marks = ",".join("?" * len(some))
                asked = f"SELECT key, used, data FROM kept WHERE key IN ({marks})"
                old = []
                for key, used, data in file.execute(asked, some):
                    arrays = unpacked(data)
                    if arrays is not None:
                        found[key] = arrays
                        old += [(now, key)] if used < now - TOUCHED_S else []
                file.executemany("UPDATE kept SET used = ? WHERE key = ?", old)

        self._do(ask)
        return found

    def put(self, made: Mapping[bytes, Arrays]) -> None:
        """Keep arrays, in place of what their keys had; the oldest go where they fill too much."""
        now = int(time.time())
        rows = [(key, now, len(data), data) for key, a in made.items() for data in [packed(a)]]
        size = sum(row[2] for row in rows)
        if not rows or self._own_bytes + size > self.most_bytes:
            return
        self._own_bytes += size

        def write(file: sqlite3.Connection) -> None:
            file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
            if self._own_bytes - self._counted >= CHECKED * self.most_bytes:
                self._make_room(file)
                self._counted = self._own_bytes

        self._do(write)

    def _make_room(self, file: sqlite3.Connection) -> None:
        """Let go of entries in the order of their last use."""
        [held] = file.execute("SELECT TOTAL(size) FROM kept").fetchone()
        if held <= self.most_bytes:
            return
        gone = []
        for key, size in file.execute("SELECT key, size FROM kept ORDER BY used, rowid"):
            if held <= EMPTIED * self.most_bytes:
                break
            gone.append((key,))
            held -= size
        file.executemany("DELETE FROM kept WHERE key = ?", gone)

    def _do(self, what: Callable[[sqlite3.Connection], None]) -> None:
        """Do something with the file, once more with a new one where it is damaged."""
        with self._lock:
            for _ in range(2):
                try:
                    with self._open() as file:  # one transaction
                        what(file)
                    return
                except (sqlite3.OperationalError, OSError):  # held, full, or not ours to write
                    return
                except sqlite3.DatabaseError:
                    self.close()
                    with suppress(OSError):
                        self.path.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = sqlite3.connect(self.path, timeout=PATIENCE_S, check_same_thread=False)
            self._file = file
            # After a power cut the file may be damaged, and is begun anew; nothing waits for disks.
            file.execute("PRAGMA synchronous = OFF")
            file.executescript(TABLE)
        return self._file

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()


def packed(arrays: Arrays) -> bytes:
    """Arrays as bytes: a checksum, the length of a description, the description, the numbers."""
    told = json.dumps([(n, a.dtype.str, a.shape) for n, a in arrays.items()]).encode()
    numbers = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
    data = len(told).to_bytes(4, "little") + told + numbers
    return hashlib.blake2b(data, digest_size=DIGEST).digest() + data


def unpacked(data: bytes) -> Arrays | None:
    """The arrays that `packed` has written; None where a byte is another one."""
    said, data = data[:DIGEST], data[DIGEST:]
    if hashlib.blake2b(data, digest_size=DIGEST).digest() != said:
        return None
    at = 4 + int.from_bytes(data[:4], "little")
    arrays: Arrays = {}
    for name, dtype, shape in json.loads(data[4:at]):
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
        at += arrays[name].nbytes
    return arrays


def parts(keys: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """So many at a time."""
    left = iter(keys)
    while some := list(islice(left, size)):
        yield some
