"""A pool of worker processes that run a simulator: hung, crashed and greedy ones are replaced.

Processes are started anew, never forked. Memory is limited by looking at what a process and all
that it started have filled, every 20 ms and where the system tells (Linux): a limit of address
space (RLIMIT_AS) would count what BLAS, torch and allocators only reserve, tens of GB, and end runs
that use almost nothing.
"""

import queue
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from modalloy.machine.limits import cores
from modalloy.twin.dispatch import Dispatch
from modalloy.twin.runs import Expected, Outcome, RunLimits, Task
from modalloy.twin.simulators.build import Simulator, described, prepared


class Pool:
    """Worker processes for one simulator; `with` starts the first and leaves none behind.

    Every run sees one thread for BLAS. A run over its seconds is ended with all of its process
    group; so is one over its memory. One that crashed or ran out of memory in a process that ran
    others before it is run again in a fresh one, so that what it came to does not depend on them.
    """

    def __init__(
        self,
        simulator: Simulator,
        expected: Mapping[str, Expected],
        limits: RunLimits,
        *,
        variables: Iterable[str],
        workers: int | None = None,
        media: Path | None = None,
    ) -> None:
        """expected: outputs by name. variables: names of all that tasks will hold. workers: as
        many as there are cores where left out. media: where files that runs write are kept, each
        run's in a folder named by its number; needed where an output is a file.
        """
        holds_files = any(output.is_media for output in expected.values())
        assert media is not None or not holds_files, "outputs that are files need a folder"
        self.simulator, self.expected, self.limits = simulator, dict(expected), limits
        self.variables, self.workers = tuple(variables), workers or cores()
        self.media = media.absolute() if media is not None and holds_files else None
        self._folder: Path | None = None
        self._dispatch: Dispatch | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Check the simulator and start the first worker.

        TwinError says why no run could succeed.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="modalloy-"))
        try:
            simulator = prepared(self.simulator, self.variables, self.expected, self._folder)
            if self.media is not None:
                self.media.mkdir(parents=True, exist_ok=True)
            setup = {
                "simulator": described(simulator),
                "expected": self.expected,
                "seconds": self.limits.seconds,
                "media": None if self.media is None else str(self.media),
            }
            self._dispatch = Dispatch(setup, self.limits, self.workers, self._folder, self.media)
            self._dispatch.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker and all that they started, and remove what was unpacked for them."""
        self._stop()
        if self._dispatch is not None:
            self._dispatch.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._dispatch = self._folder = None

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """What came of each task, as they finish; the limits are kept however slowly they are
        taken. Leaving early ends what is running. TwinError where a worker cannot be started.
        """
        dispatch = self._dispatch
        assert dispatch is not None, "with Pool(...) as pool: pool.run(tasks)"
        assert self._thread is None, "a pool runs one list of tasks at a time"
        asked = list(tasks)
        assert len({task.run for task in asked}) == len(asked), "each run has a number of its own"
        found: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._thread = threading.Thread(target=dispatch.serve, args=(asked, found), daemon=True)
        self._thread.start()
        try:
            for _ in asked:
                outcome = found.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            self._stop()

    def _stop(self) -> None:
        """End what is running."""
        if self._dispatch is not None and self._thread is not None:
            self._dispatch.stopped.set()
            self._thread.join()
            self._dispatch.stopped.clear()
        self._thread = None
