"""`/page/queue`: rows without a label, the least certain first."""

from fastapi import APIRouter, Request, Response

from modalloy.checks.finding import some
from modalloy.errors import RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.page.queue import queue_of
from modalloy.serving.page.queued import queue_html
from modalloy.serving.plain import whole
from modalloy.serving.routes.page import html, language
from modalloy.serving.service import Service

router = APIRouter(include_in_schema=False)
MOST = 100  # rows that are shown at once


@router.get("/page/queue")
async def queue(request: Request, task: str = "", top: str = "5", past: str = "0") -> Response:
    """`task`: which label is missing. `top`: how many rows, after so many `past` ones."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    model, log = service.model, service.rows
    if task not in model.predictor.run.targets:
        has = some(model.predictor.run.targets)
        raise RequestError(f"this model has no task '{task:.60}'; it has {has}.")
    count = whole(top)
    if count is None or not 1 <= count <= MOST:
        raise RequestError(f"top is no whole number from 1 to {MOST}.")
    after = whole(past)
    if after is None:
        raise RequestError("past is no whole number.")
    if log is None:
        raise RequestError("this service keeps no rows, so there are none to label.", 409)
    asked.facts |= {"task": task}
    given = {"top": count, "past": after}
    found = await service.think(lambda: queue_of(log, model.predictor, task, **given))
    return html(queue_html(language(request), model, found, log.folder))
