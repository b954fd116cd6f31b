"""A confined function returns, or the sentence says why not; nothing of it is left running."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from modalloy.machine import confined
from modalloy.machine.confined import Confined, memory_of, run_confined

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc")


def echo(**given: Any) -> Any:
    """Its arguments, and what threads it was told to use."""
    return {**given, "threads": os.environ["OMP_NUM_THREADS"]}


def sleep(seconds: float, pids: str) -> None:
    """Sleep beside a process that it has started and beside one that this one has started."""
    nested = f"import subprocess, sys; subprocess.run(['sleep', '{seconds}'])"
    other = subprocess.Popen([sys.executable, "-c", nested])
    Path(pids).write_text(f"{os.getpid()} {other.pid}")
    time.sleep(seconds)


def fill(megabytes: int, elsewhere: bool = False) -> int:
    """Fill memory, of its own process or of another one."""
    if elsewhere:
        code = f"import time; x = bytearray(b'x') * {megabytes * 10**6}; time.sleep(60)"
        subprocess.run([sys.executable, "-c", code], check=True)
    held = bytearray(b"x") * (megabytes * 10**6)
    time.sleep(0.2)
    return len(held)


def crash() -> None:
    """Read what is not there."""
    print("about to read", flush=True)
    ctypes.string_at(8)


def leave() -> None:
    """End without a word."""
    os._exit(3)


def refuse(why: str) -> None:
    """Raise."""
    raise ValueError(why)


def run(name: str, given: dict[str, Any] | None = None, **options: Any) -> Confined:
    """One of the functions above."""
    return run_confined(f"test_confined:{name}", given or {}, **{"seconds": 30, **options})


def test_json_and_bytes_go_there_and_come_back() -> None:
    given = {"a": [1, 2.5, None], "b": bytes(range(256)), "c": {"d": [b"", {"e": b"x" * 10**6}]}}
    found = run("echo", given, threads=3)
    assert found.why is None
    assert found.result == {**given, "threads": "3"}
    assert 0 < found.seconds < 30


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("crash", {}, "It crashed (SIGSEGV) after saying: about to read"),
        ("leave", {}, "It ended itself with status 3."),
        ("refuse", {"why": "not here\nmore"}, "ValueError: not here more"),
        ("absent", {}, "AttributeError: module 'test_confined' has no attribute 'absent'"),
    ],
)
def test_why_there_is_no_result(name: str, given: dict[str, Any], words: str) -> None:
    found = run(name, given)
    assert (found.result, found.why) == (None, words)


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def soon(pids: list[int]) -> bool:
    """Whether these processes end within some seconds."""
    last = time.monotonic() + 10
    while time.monotonic() < last and not all(map(gone, pids)):
        time.sleep(0.05)
    return all(map(gone, pids))


@LINUX
def test_what_is_too_slow_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    given = {"seconds": 60, "pids": str(tmp_path / "pids")}
    found = run("sleep", given, seconds=3)
    assert found.why == "It took longer than 3 s and was stopped."
    assert 3 <= found.seconds < 10
    assert soon([int(pid) for pid in (tmp_path / "pids").read_text().split()])


@LINUX
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_needs_too_much_memory_is_stopped(elsewhere: bool) -> None:
    found = run("fill", {"megabytes": 400, "elsewhere": elsewhere}, memory_bytes=150_000_000)
    assert found.why == "It needed more than 150 MB and was stopped."
    assert found.peak_bytes is not None
    assert found.peak_bytes > 150_000_000
    assert found.seconds < 15


@LINUX
def test_memory_below_the_limit_is_told() -> None:
    found = run("fill", {"megabytes": 100}, memory_bytes=300_000_000)
    assert found.result == 100_000_000
    assert found.peak_bytes is not None
    assert 100_000_000 < found.peak_bytes < 300_000_000
    assert memory_of(2**30) is None


@LINUX
def test_it_ends_with_whoever_asked(tmp_path: Path) -> None:
    program = (
        "from modalloy.machine.confined import run_confined as run; "
        f"run('test_confined:sleep', {{'seconds': 60, 'pids': '{tmp_path}/pids'}}, seconds=60)"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": paths}
    asker = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        last = time.monotonic() + 20
        while not (tmp_path / "pids").is_file() and time.monotonic() < last:
            time.sleep(0.05)
        time.sleep(0.1)
    finally:
        asker.kill()
        asker.wait()
    assert soon([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def test_the_whole_file_or_none(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        confined.put(tmp_path, "found", {"x": object()})
    assert not (tmp_path / "found").exists()
