"""`/batch`: a CSV or Parquet table in the body, answers back while they come."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from modalloy.errors import ModalloyError, RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.plain import as_json
from modalloy.serving.service import Service
from modalloy.serving.uploads import Upload, open_upload

router = APIRouter()
CSV, LINES = "text/csv", "application/x-ndjson"
CHUNK = 256  # rows that are answered together


@router.post("/batch", response_class=Response)
async def batch(request: Request) -> Response:
    """Answers to every row of a table: lines of JSON, or CSV where `Accept: text/csv` asks for it.

    A cell that cannot be read counts as missing here, and the row's `cells` say so. The last line
    of JSON says how many rows there were, and what is to be said of them together.
    """
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    model = service.model
    with ExitStack() as kept:
        kept.enter_context(service.room_for_table())
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="modalloy-batch-"))
        upload = Upload(folder, model)
        kept.callback(upload.remove)
        place = await received(request, folder / f"rows.{asked.body}")
        opened = await asyncio.to_thread(open_upload, upload, place, service.limits)
        asked.facts |= {"rows": opened.rows, "version": model.version.number}
        as_csv = CSV in request.headers.get("accept", "")
        parts = answered(service, opened, asked, as_csv=as_csv)
        return Answers(parts, kept.pop_all(), media_type=CSV if as_csv else LINES)


class Answers(StreamingResponse):
    """A streamed answer; what is kept for it is let go at its end, however it ends."""

    def __init__(self, parts: AsyncIterator[bytes], kept: ExitStack, *, media_type: str) -> None:
        super().__init__(parts, media_type=media_type)
        self.kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self.kept:
            await super().__call__(scope, receive, send)


async def received(request: Request, place: Path) -> Path:
    """The body in a file."""
    try:
        with open(place, "wb") as file:
            async for part in request.stream():
                await asyncio.to_thread(file.write, part)
    except OSError as error:
        raise RequestError("the disk of the service has no room for this table.", 507) from error
    return place


async def answered(
    service: Service, opened: Upload, asked: Asked, *, as_csv: bool
) -> AsyncIterator[bytes]:
    """The answer, some rows at a time."""
    loop = asyncio.get_running_loop()
    try:
        for start in range(0, opened.rows, CHUNK):
            some = min(CHUNK, opened.rows - start)
            told = await loop.run_in_executor(service.pool, opened.tell, start, some)
            service.metrics.note(opened.model, [told])
            ids: list[Any] = [None] * some
            if service.rows is not None:
                rows = await asyncio.to_thread(opened.cells, start, some)
                given = {"source": "batch", "request": f"{asked.id}:{start}"}
                ids = await service.keep(opened.model, rows, told, **given)
            if as_csv:
                yield csv_of(told, ids, start)
            else:
                parts = zip(ids, told.answers, told.cells, strict=True)
                lines = [
                    as_json({"row": start + at, "id": one, "answer": answer, "cells": cells})
                    for at, (one, answer, cells) in enumerate(parts)
                ]
                yield b"\n".join(lines) + b"\n"
        if not as_csv:
            last = {"rows": opened.rows, "version": opened.model.version.number}
            yield as_json({**last, "caveats": opened.caveats()}) + b"\n"
    except ModalloyError as error:
        # The status is on its way; a line that is no answer says that the rest is missing.
        what = RequestError(f"answering stopped here: {error}")
        yield (f"\nerror: {what}\n".encode() if as_csv else as_json({"error": str(what)}) + b"\n")
    finally:
        done = {"event": "batch", "request": asked.id, "rows": opened.done}
        service.audit.write({"at": time.time(), **done})


def csv_of(told: Any, ids: list[Any], start: int) -> bytes:
    """Answers as `modalloy predict` writes them, the heading before the first."""
    frame = told.frame.assign(id=ids)
    number = next(n for n in ("row.number", "row") if n in frame.columns)
    frame[number] = range(start, start + len(frame))
    return frame.to_csv(index=False, header=start == 0).encode()
