"""One worker process as its pool sees it: what it was given, what it has answered, how it ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import TwinError
from modalloy.machine import confined
from modalloy.twin.runs import Task

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from modalloy.twin.worker import main; main()"
)
THREADS = (*confined.THREADS, "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")
LAST_BYTES = 4000  # of what a run printed that are looked at


class Attempt(NamedTuple):
    """One try of a task. number: 0 at first."""

    task: Task
    number: int
    seed: int


class WorkerProcess:
    """A worker, leader of a process group of its own.

    given: attempts without an answer, the running one first. done: runs it has answered. since:
    when the first of them began, or when the process was started. ready: it has opened the
    simulator. closed: no answer will come any more.
    """

    def __init__(self, setup: Mapping[str, Any], folder: Path) -> None:
        """setup: what the worker is told first. folder: of its own, new; what it says goes there"""
        self.folder, self.said = folder, folder / "said.txt"
        scratch = folder / "scratch"
        scratch.mkdir(parents=True)
        with open(self.said, "ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=os.environ | dict.fromkeys(THREADS, "1"),  # workers share the cores
                start_new_session=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._asks, self.answers = self.process.stdin, self.process.stdout.fileno()
        os.set_blocking(self.answers, False)
        self.given: deque[Attempt] = deque()
        self.done, self.ready, self.closed = 0, False, False
        self.since = time.monotonic()
        self._rest = b""
        self._send(dict(setup) | {"scratch": str(scratch)})

    def give(self, attempts: Sequence[Attempt]) -> None:
        """Ask for these runs; only where it waits for some."""
        self.given.extend(attempts)
        self.since = time.monotonic()
        self._send([[a.task.run, dict(a.task.values), a.seed] for a in attempts])

    def leave(self) -> None:
        """Let it end by itself, its simulator's own endings included."""
        self._send([])

    def read(self) -> list[Any]:
        """Answers to runs that have come meanwhile. TwinError if it cannot open the simulator."""
        parts = [self._rest]
        with suppress(BlockingIOError):
            while data := os.read(self.answers, 1 << 16):
                parts.append(data)
            self.closed = True
        *lines, self._rest = b"".join(parts).split(b"\n")
        if lines:
            self.since = time.monotonic()
        told = [json.loads(line) for line in lines]
        if told and not self.ready:
            if "refused" in told[0]:
                raise TwinError(told[0]["refused"])
            self.ready = True
            del told[0]
        return told

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    @property
    def fresh(self) -> bool:
        """Whether it waits for its first run."""
        return self.ready and self.done == 0 and not self.given

    def why_ended(self) -> str:
        """Why a process that nobody stopped is gone; call it before `end`."""
        with suppress(subprocess.TimeoutExpired):  # its pipe is closed, so it is about to
            self.process.wait(1.0)
        code = self.process.poll()
        if code is None:
            return "It closed what it should have answered on."
        if code == -signal.SIGKILL:
            return "It was killed (SIGKILL), as systems do that run out of memory."
        return confined.crash(code, self._last_words())

    def _last_words(self) -> str:
        """The end of what the run has printed."""
        with open(self.said, "rb") as said:
            said.seek(max(0, os.fstat(said.fileno()).st_size - LAST_BYTES))
            return said.read().decode(errors="replace")

    def end(self) -> None:
        """End it and everything that it started; what it answered before can still be read."""
        with suppress(ProcessLookupError, PermissionError):  # ended; macOS may say the latter
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with suppress(BrokenPipeError):
            self._asks.close()

    def close(self) -> None:
        """End it and let go of its pipes and its folder."""
        self.end()
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _send(self, value: Any) -> None:
        """One line; a process that is gone takes none, which whoever looks at it finds out."""
        with suppress(BrokenPipeError):
            self._asks.write(json.dumps(value, default=_plain).encode() + b"\n")
            self._asks.flush()


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item()
