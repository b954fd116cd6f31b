"""Runs a function in a process of its own, with limits of time and memory that it cannot pass.

Some engines hang, grow without end or take their process down with them; whoever tries one asks for
its work here and gets either its result or one sentence that says why there is none.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

LOOK_S = 0.02  # between two looks at the process
LOOK_AROUND_S = 0.5  # between two searches for processes that it has started
LONGEST = 300  # characters of what it said last that are told
ASKED, FOUND, SAID = "asked", "found", "said.txt"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BYTES = "bytes in file"  # key of what stands in JSON for bytes


class Confined(NamedTuple):
    """result: what the function returned, None where it did not. why: a sentence, None where it
    returned. seconds: of the whole process, its start included. peak_bytes: of memory of its own,
    as often as it was looked at; None where the system does not tell.
    """

    result: Any
    why: str | None
    seconds: float
    peak_bytes: int | None


def run_confined(
    function: str,
    given: Mapping[str, Any],
    *,
    seconds: float,
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> Confined:
    """What a function returns for these arguments, or why not.

    function: `module:name`, imported anew there. given: its arguments by name: JSON, and bytes
    anywhere in it; so is the result. seconds: of the whole process. memory_bytes: that it and
    all it starts may fill of their own, without files that are mapped; where the system tells
    (Linux), else only time is limited. threads: that its libraries may use.
    The process and everything that it started are gone afterwards, also when this process ends.
    """
    with tempfile.TemporaryDirectory(prefix="modalloy-") as name:
        folder = Path(name)
        put(folder, ASKED, {"function": function, "given": dict(given)})
        begin = time.monotonic()
        process = start(folder, threads)
        try:
            why, peak = watch(process, begin + seconds, seconds, memory_bytes)
        finally:
            end_group(process)
        took = time.monotonic() - begin
        if why is None and (folder / FOUND).is_file():
            found = take(folder, FOUND)
            return Confined(found.get("result"), found.get("why"), took, peak)
        said = (folder / SAID).read_text(errors="replace")
        return Confined(None, why or crash(process.returncode, said), took, peak)


def start(folder: Path, threads: int | None) -> subprocess.Popen[bytes]:
    """The process, leader of a group of its own; it ends when our end of its input does."""
    paths = os.pathsep.join(path for path in sys.path if path)
    own = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    with open(folder / SAID, "wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "modalloy.machine.confined", str(folder)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": paths} | own,
            start_new_session=True,
        )


def watch(
    process: subprocess.Popen[bytes], last: float, seconds: float, memory_bytes: int | None
) -> tuple[str | None, int | None]:
    """Wait for the end of the process: why it was stopped, if so, and its peak of memory."""
    peak: int | None = None
    members, searched = [process.pid], time.monotonic()
    while True:
        now = time.monotonic()
        if now - searched > LOOK_AROUND_S:
            members, searched = list(group(process.pid)), now
        held = [b for pid in members if (b := memory_of(pid)) is not None]
        if held:
            peak = max(peak or 0, sum(held))
        if memory_bytes is not None and peak is not None and peak > memory_bytes:
            return f"It needed more than {memory_bytes / 1e6:.0f} MB and was stopped.", peak
        try:
            process.wait(min(LOOK_S, max(0.0, last - now)))
        except subprocess.TimeoutExpired:
            if now >= last:
                return f"It took longer than {seconds:g} s and was stopped.", peak
        else:
            return None, peak


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it started."""
    with suppress(ProcessLookupError, PermissionError):  # ended; macOS may say the latter
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def group(leader: int) -> Iterator[int]:
    """The processes of a group, as far as the system tells."""
    yield leader
    for place in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(after_name[2]) == leader and int(place.name) != leader:
            yield int(place.name)


def memory_of(pid: int) -> int | None:
    """Bytes that a process has filled of its own; None where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = [line.split() for line in text.splitlines() if line.startswith(("RssAnon", "RssShmem"))]
    return sum(int(words[1]) for words in lines) * 1024 if lines else None


def crash(code: int, said: str) -> str:
    """Why a process without a result ended."""
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    told = f" after saying: {last[:LONGEST]}" if last else ""
    if code < 0:
        return f"It crashed ({signal.Signals(-code).name}){told or '.'}"
    return f"It ended itself with status {code}{told or '.'}"


# --- bytes among JSON ---------------------------------------------------------------------------


def put(folder: Path, name: str, value: Any) -> None:
    """Write JSON, and each bytes in it to a file of its own; whole or not at all."""
    count = iter(range(1 << 30))

    def without_bytes(part: Any) -> Any:
        match part:
            case bytes() | bytearray() | memoryview():
                file = f"{name}-{next(count)}.bin"
                (folder / file).write_bytes(part)
                return {BYTES: file}
            case dict():
                return {key: without_bytes(v) for key, v in part.items()}
            case list() | tuple():
                return [without_bytes(v) for v in part]
            case _:
                return part

    text = json.dumps(without_bytes(value))
    (folder / f"{name}.part").write_text(text)
    (folder / f"{name}.part").rename(folder / name)


def take(folder: Path, name: str) -> Any:
    """What `put` has written."""

    def with_bytes(part: dict[str, Any]) -> Any:
        file = part.get(BYTES)
        return part if file is None else (folder / file).read_bytes()

    return json.loads((folder / name).read_text(), object_hook=with_bytes)


# --- the other process --------------------------------------------------------------------------


def main() -> None:
    """Call the function that is asked for and write what it returns, or its error in a sentence."""
    folder = Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=end_with_parent, daemon=True).start()
    asked = take(folder, ASKED)
    module, _, name = asked["function"].partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(**asked["given"])
        put(folder, FOUND, {"result": result})
    except BaseException as error:  # whatever it raises is the answer
        said = " ".join(str(error).split()) or "no reason given"  # engines say why in the last line
        put(folder, FOUND, {"why": f"{type(error).__name__}: {said[:LONGEST]}"})
    os._exit(0)  # threads of engines may outlive their work


def end_with_parent() -> None:
    """End the whole group when nobody waits for it any more."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
