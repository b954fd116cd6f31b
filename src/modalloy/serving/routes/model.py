"""`/model`: what is read, what is answered, and by which version."""

from typing import Any

from fastapi import APIRouter, Request

from modalloy.serving.service import Service

router = APIRouter()


@router.get("/model")
async def model(request: Request) -> dict[str, Any]:
    """Columns with units and the ranges that training saw, tasks with their classes, the version.

    `problem` says why a newer version that is to answer does not.
    """
    service: Service = request.app.state.service
    served = service.model
    run = served.predictor.run
    tasks = {}
    for name, options in run.job.tasks.items():
        target = run.targets[name]
        told = {"type": options.type, "columns": list(target.columns)}
        told |= {"unit": u} if (u := getattr(options, "unit", None)) else {}
        told |= {"classes": list(n)} if (n := getattr(target, "names", None)) else {}
        tasks[name] = told
    return {
        "model": served.name,
        "version": served.version.number,
        "digest": served.version.digest,
        "kind": "bundle" if served.is_bundle else "run",
        "columns": {name: column.told() for name, column in served.columns.items()},
        "tasks": tasks,
        "problem": service.current.problem,
    }
