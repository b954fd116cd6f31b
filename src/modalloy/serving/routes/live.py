"""`/page/live`: counters since the service began, and what `watch` last found."""

import asyncio

from fastapi import APIRouter, Request, Response

from modalloy.serving.page.counters import counted, live_html
from modalloy.serving.page.last_drift import last_drift
from modalloy.serving.routes.page import html, language
from modalloy.serving.service import Service

router = APIRouter(include_in_schema=False)


@router.get("/page/live")
async def live(request: Request) -> Response:
    """Numbers alone, as a piece of HTML; asked for every few seconds."""
    service: Service = request.app.state.service
    found = counted(service.metrics)
    found |= {"version": service.model.version.number, "problem": service.current.problem}
    found["drift"] = await asyncio.to_thread(last_drift, service.deployment)
    return html(live_html(language(request), found))
