"""`/feedback`: the right answer to a row that was answered, for whoever learns from it later."""

import time
from typing import Any

from fastapi import APIRouter, Request

from modalloy.cells.values import spelled
from modalloy.checks.finding import some
from modalloy.errors import RequestError
from modalloy.job.options import did_you_mean
from modalloy.readers.targets.target import names_of
from modalloy.serving.gate import Asked
from modalloy.serving.labels import refuse_label
from modalloy.serving.media_cells import called
from modalloy.serving.rows import json_of
from modalloy.serving.service import Service
from modalloy.tasks.kit import kit_of

router = APIRouter()
KEYS = ("id", "task", "label")
LONGEST = 200  # letters of an id


@router.post("/feedback")
async def feedback(request: Request) -> dict[str, Any]:
    """Keep a label: `{"id": of the row's answer, "task": ..., "label": ...}`.

    Every label is kept with its source and time, and the latest of a row's task counts. `note` in
    the answer says where it is a class that the model does not know.
    """
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    row, task, label = given(await json_of(request))
    if service.rows is None:
        raise RequestError("this service keeps no rows, so no label has one to belong to.", 409)
    source, at, keep = asked.who or "http", time.time(), service.rows.label
    check_label(service, task, label)
    await service.write(lambda: keep(row, task, label, source=source, at=at))
    service.metrics.labels.labels(task).inc()
    asked.facts |= {"row": row, "task": task}
    return {"id": row, "task": task, "kept": True} | noted(service, task, label)


def given(body: Any) -> tuple[str, str, Any]:
    """Row, task and label of a body; RequestError for anything else."""
    if not isinstance(body, dict) or any(k not in body for k in KEYS) or len(body) > len(KEYS):
        has = "" if not isinstance(body, dict) else f" It has {some(map(repr, body), 6)}."
        raise RequestError(f"send {', '.join(KEYS)} and nothing else.{has:.200}")
    row, task, label = (body[k] for k in KEYS)
    for name, value in (("id", row), ("task", task)):
        if not isinstance(value, str) or not value:
            raise RequestError(f"{name} is {called(value)}, not a text with something in it.")
    if len(row) > LONGEST:
        raise RequestError(f"id has {len(row)} letters; give the id that came with the answer.")
    return row, task, label


def noted(service: Service, task: str, label: Any) -> dict[str, str]:
    """A note on a class that the model does not know: a new one, or one that was mistyped."""
    run = service.model.predictor.run
    names, kind = names_of(run.targets[task]), run.job.tasks[task]
    if names is None or not kit_of(kind).whole_row or isinstance(label, list | dict):
        return {}
    name = spelled(label) or ""
    if name.strip() in names:
        return {}
    near = did_you_mean(name, names)
    return {"note": f"this model knows no '{name:.60}', so no refresh learns from it.{near}"}


def check_label(service: Service, task: str, label: Any) -> None:
    """RequestError for a task that the model does not have, and for a label that is none of it."""
    run = service.model.predictor.run
    if task not in run.targets:
        raise RequestError(f"this model has no task '{task:.60}'; it has {some(run.targets)}.")
    refuse_label(task, run.job.tasks[task], label)
