"""Runs of designs in a search's folder: recorded as they end, and never run again."""

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from modalloy import __version__
from modalloy.designing.surrogates.gaussian_process import FEWEST
from modalloy.errors import DesignError
from modalloy.twin.described import expected_of, limits_of, simulator_of
from modalloy.twin.fingerprint import content, fingerprint
from modalloy.twin.journal import Header, Journal, Recorded
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Outcome, Task
from modalloy.twin.tasks import Unseen, drawn
from modalloy.twin.twin import Twin

JOURNAL, MEDIA = "runs.jsonl", "media"
SEEDS = 3  # what a generator is for


class Runner:
    """Runs designs, numbered in the order in which they are asked for. Use as a context.

    hidden: whether hidden parameters are drawn for each run or stay as they usually are. done: is
    called after each run.
    """

    def __init__(
        self,
        twin: Twin,
        folder: Path,
        *,
        seed: int,
        hidden: Unseen,
        workers: int | None = None,
        done: Callable[[], object] = bool,
    ) -> None:
        """TwinError where the folder's record is of another twin or seed; DesignError for no
        worker."""
        if workers is not None and workers < 1:
            raise DesignError(f"workers: {workers} run nothing; give 1 or more.")
        self.twin, self.folder, self.done = twin, folder, done
        self.seed, self.hidden = seed, hidden
        versions = {"modalloy": __version__, "python": platform.python_version()}
        plan = {"hidden": hidden}
        header = Header(fingerprint(twin), content(twin), plan, seed, versions)
        self.journal = Journal(folder / JOURNAL, header)
        self.workers = workers
        self._pool: Pool | None = None
        self._open = ExitStack()
        self._open.enter_context(self.journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def run(self, first: int, designs: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """What came of designs that are runs first, first + 1, ...; those on record are not run."""
        tasks = {first + i: self.task(first + i, design) for i, design in enumerate(designs)}
        left = [task for run, task in tasks.items() if run not in self.journal.runs]
        if left:
            for outcome in self.pool().run(left):
                self.journal.add(Recorded(outcome, tasks[outcome.run].values))
                self.done()
            self.journal.sync()
        return [self.journal.runs[run].outcome for run in tasks]

    def task(self, run: int, design: Mapping[str, Any]) -> Task:
        """A run with its hidden values and seed, which depend on its number alone."""
        unseen = drawn(self.twin.hidden, 1, seed_of(self.seed, run, 1), self.hidden)[0]
        return Task(run, {**unseen, **design}, seed_of(self.seed, run, 2))

    def pool(self) -> Pool:
        """Worker processes, started when they are first needed."""
        if self._pool is None:
            twin = self.twin
            self._pool = self._open.enter_context(
                Pool(
                    simulator_of(twin),
                    expected_of(twin),
                    limits_of(twin),
                    variables=[*twin.variables, *twin.hidden],
                    workers=self.workers,
                    media=self.folder / MEDIA,
                )
            )
        return self._pool


def refuse_silent(outcomes: Sequence[Outcome]) -> None:
    """DesignError with the commonest reason, where too few runs told anything to learn from."""
    ok = sum(o.status == "ok" for o in outcomes)
    if ok >= FEWEST:
        return
    why = Counter(o.reason for o in outcomes if o.status != "ok").most_common(1)
    told = f" Of the others {why[0][1]} say: {why[0][0]}" if why else ""
    raise DesignError(
        f"{ok} of {len(outcomes)} runs told their outputs, and {FEWEST} are needed to learn "
        f"from.{told}"
    )


def seed_of(seed: int, run: int, what: int) -> int:
    """A seed of a run for one purpose."""
    return int(np.random.SeedSequence([seed, SEEDS, run, what]).generate_state(1)[0])
