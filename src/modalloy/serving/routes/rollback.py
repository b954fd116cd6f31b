"""`/rollback`: the version before this one answers again."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from modalloy.errors import RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.rows import json_of
from modalloy.serving.service import Service

router = APIRouter()


@router.post("/rollback")
async def rollback(request: Request) -> dict[str, Any]:
    """Let the version answer that did before: `{"why": ...}`, which the history keeps."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    body = await json_of(request)
    why = body.get("why") if isinstance(body, dict) and len(body) == 1 else None
    if not isinstance(why, str) or not why.strip():
        raise RequestError('send {"why": "..."}: the history says why it was rolled back.')
    back = service.deployment.rollback
    version = await asyncio.get_running_loop().run_in_executor(service.loads, back, why)
    await service.current.refresh()
    asked.facts |= {"version": version.number}
    return {"version": service.model.version.number, "problem": service.current.problem}
