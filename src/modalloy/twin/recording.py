"""Runs in a pool of processes, recorded one by one as they end; those on record are not run."""

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from modalloy.machine.progress import Bar
from modalloy.twin.described import expected_of, limits_of, simulator_of
from modalloy.twin.journal import Journal, Recorded
from modalloy.twin.pool import Pool
from modalloy.twin.runs import MEDIA, Outcome, Task
from modalloy.twin.twin import Twin


class Recording:
    """Runs tasks of a twin into a record. Use as a context."""

    def __init__(
        self,
        twin: Twin,
        journal: Journal,
        media: Path,
        total: int,
        *,
        workers: int | None,
        quiet: bool,
    ) -> None:
        """media: the folder for files of runs. total: runs in all, those on record among them."""
        self.twin, self.journal, self.media, self.workers = twin, journal, media, workers
        self.files = [name for name, output in twin.outputs.items() if output.type in MEDIA]
        self.left, self.quiet, self.bad = total - len(journal.runs), quiet, 0
        self._open = ExitStack()
        self._started: tuple[Pool, Bar] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._open.__exit__(kind, error, trace)

    def run(self, tasks: Sequence[Task]) -> None:
        """Run what the record lacks of some tasks, and add it."""
        values = {t.run: t.values for t in tasks if t.run not in self.journal.runs}
        if not values:
            return
        pool, bar = self._started = self._started or self._start()
        for outcome in pool.run(task for task in tasks if task.run in values):
            self.bad += outcome.status != "ok"
            flat = flattened(outcome, self.files, self.media)
            self.journal.add(Recorded(flat, values[outcome.run]))
            bar.advance(note=f"{self.bad} not ok" if self.bad else None)

    def _start(self) -> tuple[Pool, Bar]:
        """Workers and a progress bar, when the first run needs them."""
        pool = Pool(
            simulator_of(self.twin),
            expected_of(self.twin),
            limits_of(self.twin),
            variables=[*self.twin.variables, *self.twin.hidden],
            workers=self.workers,
            media=self.media if self.files else None,
        )
        bar = Bar(f"simulating {self.twin.name}", self.left, quiet=self.quiet)
        return self._open.enter_context(pool), self._open.enter_context(bar)


def flattened(outcome: Outcome, files: list[str], media: Path) -> Outcome:
    """The same with its files as media/RUN-OUTPUT.ending, out of the folder of their own."""
    if outcome.status != "ok" or not files:
        return outcome
    told = dict(outcome.outputs)
    for name in files:
        written = media / told[name]
        told[name] = f"{outcome.run}-{plain(name)}{written.suffix}"
        os.replace(written, media / told[name])
    shutil.rmtree(media / str(outcome.run), ignore_errors=True)
    return outcome._replace(outputs=told)


def plain(name: str) -> str:
    """A name as part of a file's."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
