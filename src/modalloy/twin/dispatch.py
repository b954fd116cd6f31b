"""Hands runs out to worker processes, hears their answers, and replaces those that go wrong."""

import math
import os
import selectors
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from modalloy.errors import TwinError
from modalloy.twin.memory import GroupMemory
from modalloy.twin.runs import Outcome, RunLimits, Status, Task, seed_of
from modalloy.twin.worker_process import Attempt, WorkerProcess

LOOK_S = 0.02  # between two looks at what workers take
CHUNK_S = 0.02  # of work that goes out in one message
LARGEST = 32  # runs in one message, all of which one worker has to do
START_S = 300.0  # for opening a simulator, which may import whatever it needs
LEAVE_S = 5.0  # for ending by itself
MOST_SAID = 64_000_000  # bytes that one run may print


class Dispatch:
    """The workers of a pool and what waits for them. stopped: set by whoever wants it to end."""

    def __init__(
        self,
        setup: Mapping[str, Any],
        limits: RunLimits,
        most: int,
        folder: Path,
        media: Path | None,
    ) -> None:
        """setup: what workers are told first. most: workers at once. folder: for what they say."""
        self.setup, self.limits, self.most = setup, limits, most
        self.folder, self.media = folder, media
        self.workers: list[WorkerProcess] = []
        self.leaving: list[WorkerProcess] = []
        self.pending: deque[Attempt] = deque()
        self.alone: deque[Attempt] = deque()  # each waits for a process of its own
        self.found: SimpleQueue[Outcome | BaseException] = SimpleQueue()
        self.stopped = threading.Event()
        self.selector = selectors.DefaultSelector()
        self.memory = GroupMemory()
        self.hired, self.mean_s, self.looked = 0, CHUNK_S, 0.0

    def start(self) -> None:
        """Start the first worker and wait until it is ready; TwinError says why it is not."""
        worker = self._hire()
        while not worker.ready:
            self._listen()

    def serve(self, tasks: Iterable[Task], found: SimpleQueue[Outcome | BaseException]) -> None:
        """Put what came of each task into `found`, or the error that keeps workers from starting.

        It ends with the last one, or soon after `stopped` is set; then none is running any more.
        """
        self.found = found
        self.pending = deque(Attempt(task, 0, task.seed) for task in tasks)
        self.alone.clear()
        try:
            while self._remaining() and not self.stopped.is_set():
                self._hire_needed()
                self._hand_out()
                self._listen()
        except BaseException as error:  # it is raised where outcomes are waited for
            found.put(error)
            for worker in [w for w in self.workers if not w.ready]:
                self._dismiss(worker)
        for worker in [w for w in self.workers if w.given]:
            self._dismiss(worker)

    def close(self) -> None:
        """End every worker."""
        for worker in [*self.workers, *self.leaving]:
            worker.close()
        self.workers, self.leaving = [], []
        self.selector.close()

    # --- handing out ----------------------------------------------------------------------------

    def _remaining(self) -> bool:
        """Whether any run has no outcome yet."""
        return bool(self.pending or self.alone) or any(w.given for w in self.workers)

    def _hire(self) -> WorkerProcess:
        """Start one worker."""
        self.hired += 1
        worker = WorkerProcess(self.setup, self.folder / f"worker-{self.hired}")
        self.workers.append(worker)
        self.selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _hire_needed(self) -> None:
        """Start workers while there are runs for them; those that ran enough leave."""
        new = sum(w.fresh or not w.ready for w in self.workers)
        for worker in [w for w in self.workers if w.ready and not w.given]:
            crowded = len(self.alone) > new and len(self.workers) >= self.most
            if worker.done >= self.limits.runs_per_process or (worker.done and crowded):
                self._retire(worker)
        free = sum(not w.given for w in self.workers)
        wanted = len(self.pending) + len(self.alone)
        while len(self.workers) < self.most and (wanted > free or len(self.alone) > new):
            self._hire()
            free, new = free + 1, new + 1

    def _hand_out(self) -> None:
        """Give runs to every worker that waits."""
        for worker in [w for w in self.workers if w.ready and not w.given]:
            if self.alone and worker.fresh:
                worker.give([self.alone.popleft()])
            elif self.pending:
                share = math.ceil(len(self.pending) / (2 * self.most))
                left = self.limits.runs_per_process - worker.done
                count = min(int(CHUNK_S / max(self.mean_s, 1e-5)), LARGEST, share, left)
                count = max(count, 1)
                worker.give([self.pending.popleft() for _ in range(min(count, len(self.pending)))])

    # --- hearing --------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take answers as they come, for at most a moment; then look at what workers take."""
        for key, _ in self.selector.select(LOOK_S):
            worker: WorkerProcess = key.data
            self._hear(worker)
            if worker.closed:
                self._find_lost(worker)
        now = time.monotonic()
        if now - self.looked >= LOOK_S:
            self.looked = now
            self._look()

    def _hear(self, worker: WorkerProcess) -> None:
        """Take what a worker has answered."""
        for status, reason, outputs, seconds in worker.read():
            attempt = worker.given.popleft()
            # Sooner up than down: too many slow runs for one worker leave the others idle.
            self.mean_s += (0.5 if seconds > self.mean_s else 0.1) * (seconds - self.mean_s)
            if status == "out of memory":
                # What it holds may be held by earlier runs.
                self._blame(worker, attempt, status, reason, seconds)
                worker.done = self.limits.runs_per_process
            else:
                self._settle(attempt, status, reason, outputs, seconds)
            worker.done += 1

    def _look(self) -> None:
        """End workers that take more than they may."""
        now, limits = time.monotonic(), self.limits
        busy = [w for w in self.workers if w.given or not w.ready]
        held = self.memory.held_bytes({w.process.pid: now - w.since for w in busy})
        for worker in list(self.workers):
            elapsed = now - worker.since
            if worker.ended:
                self._find_lost(worker)
            elif held.get(worker.process.pid, 0) > limits.memory_mb * 1e6:
                why = f"It needed more than {limits.memory_mb:g} MB."
                self._lose(worker, "out of memory", why)
            elif worker.given and elapsed > limits.seconds:
                self._lose(worker, "timed out", f"It took longer than {limits.seconds:g} s.")
            elif worker.given and os.stat(worker.said).st_size > MOST_SAID:
                self._lose(worker, "failed", f"It printed more than {MOST_SAID / 1e6:g} MB.")
            elif not worker.ready and elapsed > START_S:
                self._lose(worker, "timed out", f"It took longer than {START_S:g} s.")
        for worker in [w for w in self.leaving if w.ended or now - w.since > LEAVE_S]:
            worker.close()
            self.leaving.remove(worker)

    # --- what runs came to ----------------------------------------------------------------------

    def _find_lost(self, worker: WorkerProcess) -> None:
        """A worker has ended that nobody stopped."""
        why = worker.why_ended()
        self._hear(worker)
        if worker.process.returncode == -signal.SIGALRM:  # it has ended itself; see GRACE_S
            self._lose(worker, "timed out", f"It took longer than {self.limits.seconds:g} s.")
        else:
            self._lose(worker, "failed", why)

    def _lose(self, worker: WorkerProcess, status: Status, why: str) -> None:
        """A worker is gone or must go; the run that it was at is to blame, those after it wait."""
        running = worker.given[0] if worker.given else None
        elapsed = time.monotonic() - worker.since
        worker.end()
        self._hear(worker)  # what it had answered before its end counts
        given = list(worker.given)
        if running is None and not worker.ready:
            raise TwinError(f"simulator: it could not be opened. {why}")
        if given and given[0] is running:
            self._blame(worker, given.pop(0), status, why, elapsed)
        self.pending.extendleft(reversed(given))
        self._dismiss(worker)

    def _blame(
        self, worker: WorkerProcess, attempt: Attempt, status: Status, why: str, seconds: float
    ) -> None:
        """A run has broken its worker, or earlier runs have: then it is run again, alone."""
        if worker.done and status != "timed out":
            self.alone.append(attempt)
        else:
            self._settle(attempt, status, why, {}, seconds)

    def _settle(
        self, attempt: Attempt, status: Status, why: str, outputs: dict[str, Any], seconds: float
    ) -> None:
        """Try again, or tell what came of a run."""
        task, number = attempt.task, attempt.number
        if status != "ok" and number < self.limits.retries:
            self.pending.appendleft(Attempt(task, number + 1, seed_of(task.seed, number + 1)))
            return
        if status != "ok" and self.media is not None:
            shutil.rmtree(self.media / str(task.run), ignore_errors=True)
        self.found.put(Outcome(task.run, status, why, outputs, seconds, attempt.seed, number + 1))

    def _retire(self, worker: WorkerProcess) -> None:
        """Let a worker end by itself, meanwhile others go on."""
        self._forget(worker)
        worker.leave()
        worker.since = time.monotonic()
        self.leaving.append(worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        """End a worker at once."""
        self._forget(worker)
        worker.close()

    def _forget(self, worker: WorkerProcess) -> None:
        """No longer count on a worker."""
        self.selector.unregister(worker.answers)
        self.workers.remove(worker)
