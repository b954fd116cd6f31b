"""Whoever waits while the model is busy is answered together, in order; nobody waits for others."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from modalloy.errors import RequestError, TableError
from modalloy.serving.batcher import Batcher


class Model:
    """Doubles rows; notes what it was asked together. gate: it waits for it before each answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, list[list[int]]]] = []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, group: Any, requests: list[Sequence[int]]) -> list[list[int]]:
        assert self.gate.wait(10)
        self.asked.append((group, [list(r) for r in requests]))
        if any(-1 in r for r in requests):
            raise TableError("-1 is no row")
        return [[2 * x for x in r] for r in requests]


def tried(test: Callable[[Batcher, Model], Coroutine[Any, Any, None]], **given: Any) -> None:
    """Run a test beside a batcher."""
    model = Model()
    with ThreadPoolExecutor(1) as pool:

        async def run() -> None:
            batcher = Batcher(model.answer, pool, **{"most": 4, "waiting": 8} | given)
            try:
                await asyncio.wait_for(test(batcher, model), 20)
            finally:
                model.gate.set()
                await batcher.close()

        asyncio.run(run())


def ask(batcher: Batcher, *rows: int, group: str = "a", **given: Any) -> asyncio.Task[Any]:
    """Ask in the background."""
    return asyncio.create_task(batcher.ask(rows, group, **{"deadline_s": 10.0} | given))


async def busy(batcher: Batcher, model: Model) -> asyncio.Task[Any]:
    """Keep the model busy with the row 0."""
    model.gate.clear()
    first = ask(batcher, 0)
    while batcher.queue or not batcher.worker:
        await asyncio.sleep(0)
    return first


def test_what_waits_is_taken_together_up_to_a_bound() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await busy(batcher, model)
        others = [ask(batcher, n) for n in range(1, 7)]
        await asyncio.sleep(0)
        model.gate.set()
        assert [await t for t in (first, *others)] == [[2 * n] for n in range(7)]
        assert [r for _, r in model.asked] == [[[0]], [[1], [2], [3], [4]], [[5], [6]]]

    tried(test)


def test_a_single_request_is_asked_at_once_and_a_large_one_whole() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        assert await ask(batcher, *range(6)) == [0, 2, 4, 6, 8, 10]
        assert [len(r) for _, r in model.asked] == [1]

    tried(test)


def test_groups_and_those_that_stand_alone_are_asked_apart_in_order() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await busy(batcher, model)
        others = [ask(batcher, 1), ask(batcher, 2, group="b"), ask(batcher, 3, alone=True)]
        others += [ask(batcher, 4), ask(batcher, 5)]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, *others)
        assert model.asked == [
            ("a", [[0]]), ("a", [[1]]), ("b", [[2]]), ("a", [[3]]), ("a", [[4], [5]]),
        ]  # fmt: skip

    tried(test)


def test_a_bad_request_harms_no_other() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await busy(batcher, model)
        good, bad, other = ask(batcher, 1), ask(batcher, -1), ask(batcher, 3)
        await asyncio.sleep(0)
        model.gate.set()
        assert [await first, await good, await other] == [[0], [2], [6]]
        with pytest.raises(TableError, match="-1 is no row"):
            await bad

    tried(test)


def test_too_many_are_refused_and_late_ones_are_told_and_never_asked() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await busy(batcher, model)
        late = ask(batcher, 7, deadline_s=0.01)
        full = ask(batcher, *range(10, 17))
        with pytest.raises(RequestError, match=r"no answer within 0\.01 s") as caught:
            await late
        assert caught.value.status == 504
        with pytest.raises(RequestError, match="rows wait already") as caught:
            await batcher.ask([1], "a", deadline_s=1.0)
        assert (caught.value.status, caught.value.retry_s) == (503, 1.0)
        model.gate.set()
        await asyncio.gather(first, full)
        assert [7] not in [r for _, requests in model.asked for r in requests]
        assert batcher.waiting == 0

    tried(test)


def test_closing_answers_what_waits_and_takes_no_more() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await busy(batcher, model)
        second = ask(batcher, 1)
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="the service is ending"):
            await batcher.ask([1], "a", deadline_s=1.0)
        model.gate.set()
        await closing
        assert (await first, await second) == ([0], [2])

    tried(test)
