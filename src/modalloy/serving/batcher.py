"""Greedy batching: whenever the model is free it takes all that waits, up to a bound.

Nobody waits for a batch to fill: a single request is answered at once, and while it is, the next
batch gathers by itself.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from modalloy.errors import RequestError

BUSY_S = 1.0  # after which another try is advised


@dataclass
class Waiting:
    """A request that waits. group: only those of one group are answered together. alone: this one
    beside no other.
    """

    rows: Sequence[Any]
    group: Hashable
    alone: bool
    answer: asyncio.Future[Any]


class Batcher:
    """Answers requests together on one pool of threads.

    answer: several requests' rows, all of one group, to one result each; called in the pool. most:
    rows that are answered together, where they are of several requests. waiting: rows that may
    wait.
    """

    def __init__(
        self,
        answer: Callable[[Hashable, list[Sequence[Any]]], list[Any]],
        pool: Executor,
        *,
        most: int,
        waiting: int,
    ) -> None:
        self.answer, self.pool = answer, pool
        self.most, self.most_waiting = most, waiting
        self.queue: deque[Waiting] = deque()
        self.waiting, self.closing = 0, False
        self.worker: asyncio.Task[None] | None = None

    async def ask(
        self, rows: Sequence[Any], group: Hashable, *, deadline_s: float, alone: bool = False
    ) -> Any:
        """The result for these rows. RequestError: 503 where too many wait or the service ends, 504
        where the time is over; whatever `answer` raises for these rows.
        """
        if self.closing:
            raise RequestError("the service is ending; ask again.", 503, retry_s=BUSY_S)
        if self.queue and self.waiting + len(rows) > self.most_waiting:
            raise RequestError(f"{self.waiting} rows wait already; ask again.", 503, retry_s=BUSY_S)
        one = Waiting(rows, group, alone, asyncio.get_running_loop().create_future())
        self.queue.append(one)
        self.waiting += len(rows)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.work())
        try:
            return await asyncio.wait_for(one.answer, deadline_s)
        except TimeoutError as error:
            raise RequestError(f"no answer within {deadline_s:.3g} s; ask again.", 504) from error

    async def work(self) -> None:
        """Answer until nothing waits."""
        while some := self.take():
            await self.run(some)

    def take(self) -> list[Waiting]:
        """What is answered next: the first that waits and those of its group behind it, in order.

        Those that nobody waits for any more are passed over.
        """
        found: list[Waiting] = []
        rows = 0
        while self.queue:
            one = self.queue[0]
            if not one.answer.done():
                if found and (one.alone or found[0].alone or one.group != found[0].group):
                    break
                if found and rows + len(one.rows) > self.most:
                    break
                found.append(one)
                rows += len(one.rows)
            self.queue.popleft()
            self.waiting -= len(one.rows)
        return found

    async def run(self, some: list[Waiting]) -> None:
        """Answer these together; where that fails, each alone, so that one bad request harms no
        other.
        """
        loop = asyncio.get_running_loop()
        rows = [one.rows for one in some]
        try:
            found = await loop.run_in_executor(self.pool, self.answer, some[0].group, rows)
        except Exception as error:
            if len(some) > 1:
                for one in some:
                    await self.run([one])
                return
            settle(some[0], error=error)
            return
        for one, result in zip(some, found, strict=True):
            settle(one, result)

    async def close(self) -> None:
        """Take no more, and return when all that wait are answered."""
        self.closing = True
        while self.worker is not None and not self.worker.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self.worker)


def settle(one: Waiting, result: Any = None, *, error: Exception | None = None) -> None:
    """Give a request its result, unless nobody waits for it any more."""
    if one.answer.done():
        return
    if error is None:
        one.answer.set_result(result)
    else:
        one.answer.set_exception(error)
