"""What is kept by content comes back bit for bit, stays bounded, and survives damage."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modalloy.answer import content_store as module
from modalloy.answer.content_store import ContentStore, packed, unpacked

ARRAYS = {
    "features": np.arange(6, dtype=np.float32).reshape(1, 2, 3) / 7,
    "mask": np.array([True, False]),
    "none": np.zeros((0, 4), np.int64),
    "one": np.float32(3.5).reshape(()),
}


def same(found: dict[str, np.ndarray] | None, wanted: dict[str, np.ndarray]) -> bool:
    """Whether arrays are the same bits of the same types and shapes."""
    return found is not None and [(n, a.dtype, a.shape, a.tobytes()) for n, a in found.items()] == [
        (n, a.dtype, a.shape, a.tobytes()) for n, a in wanted.items()
    ]


def numbers(value: float, count: int = 1000) -> dict[str, np.ndarray]:
    return {"x": np.full(count, value, np.float32)}


def test_arrays_come_back_in_another_sitting(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kept.sqlite"
    store = ContentStore(path, 10**6)
    assert store.get([b"a"]) == {}
    store.put({b"a": ARRAYS, b"b": numbers(2)})
    store.put({b"b": numbers(3)})  # in its place
    found = ContentStore(path, 10**6).get([b"b", b"a", b"c"] + [bytes([i]) for i in range(250)] * 5)
    assert found.keys() == {b"a", b"b"}
    assert same(found[b"a"], ARRAYS)
    assert same(found[b"b"], numbers(3))


def test_any_changed_byte_is_noticed() -> None:
    data = packed(numbers(1.5, 3))
    assert same(unpacked(data), numbers(1.5, 3))
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert unpacked(changed) is None
    assert unpacked(data[:-1]) is None
    assert unpacked(b"") is None


def test_a_damaged_entry_counts_as_absent_and_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    ContentStore(path, 10**6).put({b"a": numbers(1), b"b": numbers(2)})
    with sqlite3.connect(path) as file:
        file.execute("UPDATE kept SET data = ? WHERE key = ?", (b"nonsense", b"a"))
    store = ContentStore(path, 10**6)
    assert store.get([b"a", b"b"]).keys() == {b"b"}
    store.put({b"a": numbers(1)})
    assert same(store.get([b"a"])[b"a"], numbers(1))


@pytest.mark.parametrize(
    "damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "kept.sqlite"
    path.write_bytes(damage)
    store = ContentStore(path, 10**6)
    assert store.get([b"a"]) == {}
    store.put({b"a": numbers(1)})
    assert same(ContentStore(path, 10**6).get([b"a"])[b"a"], numbers(1))


def test_the_ones_used_longest_ago_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [10**6]
    monkeypatch.setattr(module.time, "time", lambda: clock[0])
    path, size = tmp_path / "kept.sqlite", len(packed(numbers(0)))
    for i in range(10):
        clock[0] += 10_000
        ContentStore(path, 10 * size).put({bytes([i]): numbers(i)})
    clock[0] += 10_000
    assert len(ContentStore(path, 10 * size).get([b"\0", b"\1"])) == 2  # used again
    ContentStore(path, 10 * size).put({b"new": numbers(0)})
    left = ContentStore(path, 10 * size).get([b"new", *(bytes([i]) for i in range(10))])
    assert left.keys() == {b"new", b"\0", b"\1", *(bytes([i]) for i in range(4, 10))}
    assert path.stat().st_size < 1.3 * 10 * size + 50_000


def test_one_sitting_does_not_push_out_its_own(tmp_path: Path) -> None:
    size = len(packed(numbers(0)))
    store = ContentStore(tmp_path / "kept.sqlite", 3 * size)
    for i in range(9):
        store.put({bytes([i]): numbers(i)})
    assert store.get([bytes([i]) for i in range(9)]).keys() == {b"\0", b"\1", b"\2"}


def test_a_place_that_cannot_be_written_or_is_held_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = ContentStore(tmp_path / "file" / "kept.sqlite", 10**6)
    nowhere.put({b"a": numbers(1)})
    assert nowhere.get([b"a"]) == {}
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    path = tmp_path / "kept.sqlite"
    store = ContentStore(path, 10**6)
    store.put({b"a": numbers(1)})
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    store.put({b"b": numbers(2)})
    assert store.get([b"a"]) == {}
    holder.execute("ROLLBACK")
    holder.close()
    assert store.get([b"a", b"b"]).keys() == {b"a"}


WRITER = """
import sys, numpy as np
from pathlib import Path
from modalloy.answer.content_store import ContentStore
store, own = ContentStore(Path(sys.argv[1]), 10**8), sys.argv[2]
for i in range(200):
    store.put({f"{own}{i}".encode(): {"x": np.full(500, i, np.float32)}})
    store.put({f"both{i}".encode(): {"x": np.full(500, -i, np.float32)}})
    assert store.get([f"both{i}".encode()])
"""


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    given = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*given, own]) for own in ("a", "b")]
    assert [w.wait(60) for w in writers] == [0, 0]
    keys = [f"{own}{i}".encode() for own in ("a", "b", "both") for i in range(200)]
    found = ContentStore(path, 10**8).get(keys)
    assert len(found) == 600
    assert all(same(found[f"both{i}".encode()], numbers(-i, 500)) for i in range(200))
