"""The process that runs a simulator, one task after the other; a pool starts it and ends it.

Lines of JSON come in on its standard input and go out on what was its standard output: first the
simulator, answered by whether it can be opened; then lists of tasks, answered by a line for each.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from modalloy.errors import TwinError
from modalloy.twin.returned import checked
from modalloy.twin.runs import Expected, FailedRun, NonsenseRun, Simulate, Status, told
from modalloy.twin.simulators.opening import opened

GRACE_S = 10.0  # after its limit a run ends by itself, should nobody be left to end it
LONGEST = 400  # characters of a reason


class Desk(NamedTuple):
    """What every run in this process needs. media: where runs have folders of their own; without,
    all runs use `scratch`, one after the other. said: the open file that all they print goes to.
    """

    simulate: Simulate
    expected: dict[str, Expected]
    seconds: float
    media: Path | None
    scratch: Path
    said: int


def main() -> None:
    """Open the simulator, then run tasks until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked, answers, said = take_pipes()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(asked, lines), daemon=True).start()
    setup = json.loads(lines.get())
    try:
        simulate = opened(setup["simulator"], list(setup["expected"]))
    except TwinError as error:
        answer(answers, {"refused": str(error)})
        return
    answer(answers, {"ready": True})
    expected = {name: Expected(*given) for name, given in setup["expected"].items()}
    media = None if setup["media"] is None else Path(setup["media"])
    desk = Desk(simulate, expected, setup["seconds"], media, Path(setup["scratch"]), said)
    while tasks := json.loads(lines.get()):
        for task in tasks:
            answer(answers, run_one(desk, *task))


def run_one(desk: Desk, run: int, values: dict[str, Any], seed: int) -> list[Any]:
    """status, reason, outputs and seconds of one run."""
    folder = fresh_folder(desk, run)
    os.ftruncate(desk.said, 0)  # what is told of a crash was said by the run that crashed
    sow(seed)
    signal.setitimer(signal.ITIMER_REAL, desk.seconds + GRACE_S)
    begin = time.perf_counter()
    status: Status = "ok"
    reason, outputs = "", {}
    try:
        returned = desk.simulate(values, seed=seed, folder=folder)
        seconds = time.perf_counter() - begin
        outputs = checked(returned, desk.expected, folder)
        if desk.media is not None:
            media = [name for name, e in desk.expected.items() if e.is_media]
            outputs |= {name: f"{folder.name}/{outputs[name]}" for name in media}
    except BaseException as error:  # whatever a simulator raises is the answer
        seconds = time.perf_counter() - begin
        status, reason = came_of(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if seconds > desk.seconds:
        status, reason, outputs = "timed out", f"It took longer than {desk.seconds:g} s.", {}
    return [status, reason[:LONGEST], outputs, seconds]


def came_of(error: BaseException) -> tuple[Status, str]:
    """What a run has come to that raised this."""
    match error:
        case NonsenseRun():
            return "nonsense", str(error)
        case FailedRun():
            return "failed", str(error)
        case MemoryError():
            return "out of memory", told(error)
        case _:
            return "failed", told(error)


def fresh_folder(desk: Desk, run: int) -> Path:
    """An empty folder for a run."""
    if desk.media is None:
        for entry in os.scandir(desk.scratch):
            remove(entry.path)
        return desk.scratch
    folder = desk.media / str(run)
    with suppress(FileExistsError):
        folder.mkdir()
        return folder
    remove(str(folder))  # left by an earlier attempt
    folder.mkdir()
    return folder


def remove(path: str) -> None:
    """Remove a file or a folder with all in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def sow(seed: int) -> None:
    """Seed what a simulator draws from without a generator of its own, so that rows come again.

    Of numpy only where it is imported before the first run.
    """
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)


# --- pipes --------------------------------------------------------------------------------------


def take_pipes() -> tuple[int, int, int]:
    """Input and output for tasks alone: what simulators print goes where their errors go."""
    asked, answers, said = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    sys.stdout = os.fdopen(1, "w", 1, closefd=False)  # by lines: a crash loses none
    return asked, answers, said


def listen(asked: int, lines: SimpleQueue[bytes]) -> None:
    """Hand over lines as they come; when nobody is left to send any, end all that runs here."""
    for line in read_lines(asked):
        lines.put(line)
    os.killpg(0, signal.SIGKILL)


def read_lines(asked: int) -> Iterator[bytes]:
    """Lines of a pipe until its other end is closed."""
    rest = b""
    while data := os.read(asked, 1 << 16):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def answer(answers: int, value: Any) -> None:
    """One line, whole."""
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(answers, data) :]
