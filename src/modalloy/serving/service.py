"""The service: one deployment's model, kept current, asked by routes and by followed sources."""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from modalloy.deployment.deployment import Deployment
from modalloy.deployment.log_rows import Entry
from modalloy.deployment.row_log import RowLog
from modalloy.errors import RequestError, RunError
from modalloy.serving.audit import Audit
from modalloy.serving.batcher import BUSY_S, Batcher
from modalloy.serving.current import Current
from modalloy.serving.limits import Limits
from modalloy.serving.metrics import Metrics
from modalloy.serving.plain import plain
from modalloy.serving.rows import LARGE, Row, check_rows
from modalloy.serving.searching import Searchers
from modalloy.serving.served_model import ServedModel, Told

KEPT = 64  # requests that are written together
FEW = 32  # rows that are checked without a thread of their own
TABLES = 4  # that are uploaded and answered at once
AT_ONCE = 4  # long questions that wait beside the one that is answered
T = TypeVar("T")


class Beside(Protocol):
    """What runs while a service does: sources that are followed, refreshes."""

    def start(self, service: "Service") -> None:
        """Begin, within the service's loop."""

    async def stop(self) -> None:
        """End, with nothing lost."""


@dataclass(frozen=True)
class Answered:
    """Answers to the rows of one request. rows: their checked cells. ids: of each row in the log,
    for labels; empty without one.
    """

    version: int
    model: str
    request: str
    rows: Sequence[Row]
    ids: list[str]
    told: Told

    def as_dict(self, keys: Sequence[str | int] | None = None) -> dict[str, Any]:
        """As JSON. keys: by what the client knows each row, which is handed back."""
        ids = self.ids or [None] * len(self.told.answers)
        rows = [
            {"id": one, "answer": answer, "cells": cells}
            for one, answer, cells in zip(ids, self.told.answers, self.told.cells, strict=True)
        ]
        if keys is not None:
            rows = [{"key": key, **row} for key, row in zip(keys, rows, strict=True)]
        return {
            "model": self.model,
            "version": self.version,
            "request": self.request,
            "rows": rows,
            "caveats": self.told.caveats,
        }


class Service:
    """Answers rows by the version that a deployment says; routes and followers call it alike.

    keep_rows: rows, answers and labels are kept in the deployment. audit_cells: audit lines hold
    cells, media by their SHA-256. trust: the key that bundles must be signed with. beside:
    what runs from the start to the end beside the answers.
    """

    def __init__(
        self,
        deployment: Deployment,
        limits: Limits,
        *,
        keep_rows: bool = True,
        audit_cells: bool = False,
        trust: Path | None = None,
        beside: "Sequence[Beside]" = (),
    ) -> None:
        self.deployment, self.limits = deployment, limits
        self.audit_cells, self.beside = audit_cells, beside
        self.loads = ThreadPoolExecutor(1, "loads")  # so that no long question holds up a swap
        self.aside = ThreadPoolExecutor(1, "aside")  # explains and searches
        given = {"trust": trust, "changed": self._changed}
        self.current = Current(deployment, self.loads, **given)
        self.metrics, self.audit = Metrics(), Audit(deployment.path)
        self.metrics.version.set(self.model.version.number)
        self.rows = RowLog(deployment.path) if keep_rows else None
        self.searchers = Searchers(deployment.path)
        self.pool = ThreadPoolExecutor(1, "answers")
        self.writer = ThreadPoolExecutor(1, "writes")
        given = {"most": limits.batch, "waiting": limits.waiting}
        self.batcher = Batcher(self._tell, self.pool, **given)
        # Requests that wait to be kept are written together: a disk takes few writes a second.
        self.keeper = Batcher(self._keep, self.writer, most=KEPT, waiting=limits.waiting)
        self.long, self.tables, self.ready = 0, 0, True
        self._watching: asyncio.Task[None] | None = None

    @property
    def model(self) -> ServedModel:
        """The one that answers now."""
        return self.current.model

    async def answer(
        self, rows: Sequence[Any], *, source: str, request: str, size: int = 0
    ) -> Answered:
        """Check rows, answer them, and keep them: the one way in, whatever the rows came by.

        source: what sent them, such as `http` or a followed file. size: bytes that they came in.
        RequestError for rows that do not fit the model, and where too many wait or the time is
        over.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.deadline_s
        model = self.model
        checked = await self.check(model, rows, size)
        told = await self.tell(model, checked, deadline_s=end - loop.time())
        if told.unreadable is not None:
            raise RequestError(told.unreadable)
        given = {"source": source, "request": request, "deadline_s": end - loop.time()}
        ids = await self.keep(model, checked, told, **given)
        return Answered(model.version.number, model.name, request, checked, ids, told)

    async def check(self, model: ServedModel, rows: Sequence[Any], size: int) -> list[Row]:
        """Rows as readers take them; many or large ones are checked on a thread of their own."""
        given = (rows, model.columns, self.limits)
        if len(rows) <= FEW and size < LARGE:
            return check_rows(*given)
        return await asyncio.to_thread(check_rows, *given)

    async def tell(
        self, model: ServedModel, rows: Sequence[Row], *, deadline_s: float | None = None
    ) -> Told:
        """What a model says of checked rows, in its turn. deadline_s: as long as any request may
        take where it is None.
        """
        limit_s = self.limits.deadline_s if deadline_s is None else max(0.0, deadline_s)
        given = {"deadline_s": limit_s, "alone": model.alone}
        asked = self.batcher.ask(rows, cast(Hashable, model), **given)
        return cast(Told, await asked)

    async def keep(
        self,
        model: ServedModel,
        rows: Sequence[Row],
        told: Told,
        *,
        source: str,
        request: str,
        deadline_s: float | None = None,
    ) -> list[str]:
        """Write rows and answers into the deployment's log; their ids. deadline_s: as in `tell`."""
        if self.rows is None:
            return []
        entry = Entry(rows, told.frame, model.version.number, request, source, time.time())
        limit_s = self.limits.deadline_s if deadline_s is None else max(0.0, deadline_s)
        given = {"deadline_s": limit_s}
        with full_disk_said():
            return cast(list[str], await self.keeper.ask([entry], "rows", **given))

    async def write(self, call: Callable[[], T]) -> T:
        """Call what writes into the log, on its own thread; RequestError (507) where the disk does
        not take it.
        """
        with full_disk_said():
            return await asyncio.get_running_loop().run_in_executor(self.writer, call)

    async def think(self, call: Callable[[], T]) -> T:
        """Call what takes long - an explanation, a search - beside the answers, one at a time.

        RequestError: 503 where several wait already, 504 where the time is over.
        """
        if self.long > AT_ONCE:
            raise RequestError(f"{self.long} long questions wait; ask again.", 503, retry_s=BUSY_S)
        self.long += 1
        done = asyncio.get_running_loop().run_in_executor(self.aside, call)
        done.add_done_callback(self._thought)
        limit_s = self.limits.deadline_s
        try:
            return await asyncio.wait_for(asyncio.shield(done), limit_s)
        except TimeoutError as error:
            raise RequestError(f"no answer within {limit_s:g} s; ask for less.", 504) from error

    @contextmanager
    def room_for_table(self) -> Generator[None]:
        """While a table is uploaded and answered; RequestError (503) where several are already:
        each takes room on the disk.
        """
        if self.tables >= TABLES:
            raise RequestError(
                f"{self.tables} tables are answered already; ask again.", 503, retry_s=BUSY_S
            )
        self.tables += 1
        try:
            yield
        finally:
            self.tables -= 1

    def start(self) -> None:
        """Follow what the deployment says from now on."""
        self._watching = asyncio.create_task(self.current.watch())
        for one in self.beside:
            one.start(self)

    async def drain(self) -> None:
        """Answer what waits, and take no more."""
        self.ready = False
        for one in self.beside:
            await one.stop()
        if self._watching is not None:
            self._watching.cancel()
        await self.batcher.close()
        await self.keeper.close()

    async def close(self) -> None:
        """Answer what waits, then end."""
        await self.drain()
        for pool in (self.pool, self.aside, self.loads, self.writer):
            await asyncio.to_thread(pool.shutdown)
        self.audit.close()
        if self.rows is not None:
            self.rows.close()

    def _changed(self, outcome: str) -> None:
        """Count and write down that another version answers, or cannot."""
        version = self.model.version.number
        self.metrics.swaps.labels(outcome).inc()
        self.metrics.version.set(version)
        told = {"event": "version", "version": version, "outcome": outcome}
        self.audit.write({"at": time.time(), **told})

    def _thought(self, done: asyncio.Future[Any]) -> None:
        self.long -= 1
        if not done.cancelled():
            done.exception()  # whoever waited has been told

    def _tell(self, model: Hashable, requests: list[Sequence[Row]]) -> list[Any]:
        """For the batcher, in the pool."""
        served = cast(ServedModel, model)
        told = served.tell(requests)
        self.metrics.note(served, told)
        self.metrics.waiting.set(self.batcher.waiting)
        return list(told)

    def _keep(self, _: Hashable, requests: list[Sequence[Entry]]) -> list[Any]:
        """For the keeper, on the writer's thread."""
        assert self.rows is not None, "rows are kept"
        return self.rows.add_all([entry for one in requests for entry in one])


@contextmanager
def full_disk_said() -> Generator[None]:
    """RequestError (507) for what the disk does not take."""
    try:
        yield
    except RunError as error:
        if not isinstance(error.__cause__, OSError | sqlite3.Error):
            raise
        raise RequestError(
            "the disk of the service takes no more, so the request was not kept.", 507
        ) from error


def shown_cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cells as an audit line holds them: files by their size and SHA-256."""
    return [{name: shown(cell) for name, cell in row.items()} for row in rows]


def shown(cell: Any) -> Any:
    """One cell."""
    if not isinstance(cell, bytes):
        return plain(cell)
    return {"bytes": len(cell), "sha256": hashlib.sha256(cell).hexdigest()}
