"""`/v2`: KServe's inference protocol, so that its clients ask this service as any other."""

from typing import Any

from fastapi import APIRouter, Request, Response

import modalloy
from modalloy.errors import RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.infer_tensors import datatype, rows_of_tensors, tensors_of
from modalloy.serving.plain import as_json
from modalloy.serving.routes.predict import note_rows
from modalloy.serving.rows import json_of, read_aside
from modalloy.serving.served_model import ServedModel
from modalloy.serving.service import Service

router = APIRouter()


@router.get("/v2")
async def server() -> dict[str, Any]:
    """Name and version of this server."""
    return {"name": "modalloy", "version": modalloy.__version__, "extensions": []}


@router.get("/v2/models/{name}")
async def metadata(name: str, request: Request) -> dict[str, Any]:
    """The tensors that the model takes; those that it answers with follow from its tasks."""
    served = served_as(name, request.app.state.service)
    inputs = [
        {"name": c.name, "datatype": datatype(c), "shape": [-1, *([c.length] if c.length else [])]}
        for c in served.columns.values()
    ]
    tasks = served.predictor.run.job.tasks
    outputs = [{"name": t, "datatype": "BYTES", "shape": [-1]} for t in tasks]
    versions = [str(served.version.number)]
    told = {"name": served.name, "versions": versions, "platform": "modalloy"}
    return {**told, "inputs": inputs, "outputs": outputs}


@router.get("/v2/models/{name}/ready")
async def ready(name: str, request: Request) -> dict[str, Any]:
    """Whether this model answers."""
    return {"name": served_as(name, request.app.state.service).name, "ready": True}


@router.post("/v2/models/{name}/infer", response_class=Response)
async def infer(name: str, request: Request) -> Response:
    """Answers to rows given as tensors; every column of `/predict`'s answers is one."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    served = served_as(name, service)
    body = await json_of(request)
    rows = await read_aside(
        lambda: rows_of_tensors(body, served.columns, service.limits), asked.size
    )
    answered = await service.answer(rows, source="http", request=asked.id, size=asked.size)
    note_rows(service, asked, answered)
    ids = [{"id": one} for one in answered.ids]
    with_ids = [a | i for a, i in zip(answered.told.answers, ids or [{}] * len(rows), strict=True)]
    told: dict[str, Any] = {"model_name": answered.model, "model_version": str(answered.version)}
    told["id"] = body.get("id") if isinstance(body.get("id"), str) else asked.id
    told["parameters"] = {"caveats": answered.told.caveats}
    told["outputs"] = tensors_of(with_ids)
    return Response(as_json(told), media_type="application/json")


def served_as(name: str, service: Service) -> ServedModel:
    """The model of this name; RequestError (404) for another."""
    if name != service.model.name:
        raise RequestError(f"there is no such model; '{service.model.name}' is served.", 404)
    return service.model
