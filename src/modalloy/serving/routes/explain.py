"""`/explain`: what each column and each part of a cell adds to the answer of a row."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from modalloy.errors import RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.media_cells import called
from modalloy.serving.plain import as_json, plain
from modalloy.serving.rows import Row, json_of
from modalloy.serving.served_model import NOWHERE, ServedModel
from modalloy.serving.service import Service
from modalloy.table.open_table import open_table

if TYPE_CHECKING:
    from modalloy.attribution.explanation import Explanation

router = APIRouter()
KEYS = ("row", "task", "label")
HIDDEN = ("run", "table", "row")  # of an explanation: paths on this machine


@router.post("/explain", response_class=Response)
async def explain(request: Request) -> Response:
    """Why the model answers a row so: `{"row": {...}, "task": ..., "label": ...}`.

    task: all for none. label: the class to explain, the answered one for none. Bundles hold no
    network to look into: 409.
    """
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    row, task, label = given(await json_of(request))
    model = service.model
    if model.is_bundle:
        raise RequestError("a bundle answers, and cannot be looked into; serve its run.", 409)
    (cells,) = await service.check(model, [row], asked.size)
    asked.facts |= {"rows": 1, "version": model.version.number}
    found = await service.think(lambda: reasons(model, cells, task, label))
    told = {"model": model.name, "version": model.version.number, **found}
    return Response(as_json(told), media_type="application/json")


def given(body: Any) -> tuple[Any, str | None, str | None]:
    """Row, task and class of a body; RequestError for anything else."""
    if not isinstance(body, dict) or "row" not in body or any(k not in KEYS for k in body):
        raise RequestError('send {"row": {"column": cell, ...}}, with a task and a label if any.')
    for name in KEYS[1:]:
        if body.get(name) is not None and not isinstance(body[name], str):
            raise RequestError(f"{name} is {called(body[name])}, not a text.")
    return body["row"], body.get("task"), body.get("label")


def reasons(model: ServedModel, cells: Row, task: str | None, label: str | None) -> dict[str, Any]:
    """The explanation as JSON; TableError where a cell cannot be read."""
    found = explained(model, cells, task, label).as_dict()
    return plain({k: v for k, v in found.items() if k not in HIDDEN})


def explained(
    model: ServedModel, cells: Row, task: str | None, label: str | None, **more: Any
) -> "Explanation":
    """Why the model answers a row so. more: as `explain_row` takes it."""
    # Looks inside the network by torch, which bundles do without.
    from modalloy.attribution.explain_row import chosen_tasks, columns_bought, explain_row

    predictor = model.predictor
    tasks = chosen_tasks(predictor.run, task)
    table = open_table([cells], folder=NOWHERE)
    loader, _ = predictor.open(table)
    if predictor.plan is not None:
        loader, _ = predictor.open(table, inputs=columns_bought(predictor, loader, 0))
    return explain_row(predictor, loader, 0, tasks=tasks, label=label, **more)
