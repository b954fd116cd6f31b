"""`/page/live`: counters since the service began, and what `watch` last found."""

import asyncio

from fastapi import APIRouter, Request, Response

from modalloy.serving.page.counters import counted
from modalloy.serving.page.last_drift import last_drift
from modalloy.serving.plain import as_json, plain
from modalloy.serving.service import Service

router = APIRouter(include_in_schema=False)


@router.get("/page/live")
async def live(request: Request) -> Response:
    """Numbers alone; asked for every few seconds."""
    service: Service = request.app.state.service
    found = counted(service.metrics)
    found |= {"version": service.model.version.number, "problem": service.current.problem}
    found["drift"] = await asyncio.to_thread(last_drift, service.deployment)
    return Response(as_json(plain(found)), media_type="application/json")
