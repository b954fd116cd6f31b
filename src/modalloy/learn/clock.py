"""Time as the measure of a training: how many steps fit into the minutes that are given."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from modalloy.learn import processes
from modalloy.learn.progress import Progress
from modalloy.learn.state import State

FORWARD = 1 / 3  # of a step's time, what its rows take without a backward pass
Found = TypeVar("Found")


@dataclass(frozen=True)
class Clock:
    """minutes: of the whole training, None where they are not limited.

    start: when it began, had it never been interrupted. now: seconds of any clock. world: number of
    processes; the first one's clock counts for all.
    """

    minutes: float | None
    start: float
    now: Callable[[], float] = time.perf_counter
    world: int = 1

    def seconds(self) -> float:
        """That the training has taken."""
        return self.now() - self.start

    def replan(self, state: State, notes: Progress, batches: float) -> None:
        """After a step, plan as many in all as the time allows at the speed until now.

        The schedule of the rate so follows the time that has gone. Room is kept for the last look
        at validation rows, `batches` of them: what the one before it took, or by the time of steps.
        """
        minutes = self.minutes
        if minutes is None:
            return

        def plan() -> int:
            gone = self.seconds()
            guess = FORWARD * batches * gone / state.step
            room = 60 * minutes - (notes.look_s if notes.look_s is not None else guess)
            if gone >= room:
                return state.step
            return max(state.step + 1, int(state.step * room / max(gone, 1e-9)))

        state.steps = processes.first_decides(plan, self.world)
        notes.over = state.steps <= state.step

    def timed(self, notes: Progress, work: Callable[[], Found]) -> Found:
        """What the work finds; the notes learn how long it took."""
        before = self.seconds()
        found = work()
        notes.look_s = self.seconds() - before
        return found
