"""The app: every route that `access` lists, behind the gate."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import modalloy
from modalloy.errors import ModalloyError, RequestError, RunError
from modalloy.serving.access import ROUTES
from modalloy.serving.gate import Gate, error_answer, failed
from modalloy.serving.openapi import described
from modalloy.serving.page.tickets import Tickets
from modalloy.serving.routes import (
    batch,
    explain,
    feedback,
    health,
    infer,
    live,
    metrics,
    model,
    page,
    predict,
    queue,
    report,
    rollback,
    search,
)
from modalloy.serving.service import Service
from modalloy.serving.tokens import Tokens

ROUTERS = (
    health, metrics, model, predict, infer, batch, search, explain, feedback, rollback,
    page, live, queue, report,
)  # fmt: skip


def build_app(service: Service, tokens: Tokens, *, loopback: bool = True) -> Gate:
    """The app of a service; it starts to follow the deployment, and ends, with its server."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None]:
        service.start()
        yield
        await service.close()

    app = FastAPI(
        title="modalloy", version=modalloy.__version__, lifespan=life,
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.service, app.state.tickets = service, Tickets()
    for room in ROUTERS:
        app.router.routes.extend(room.router.routes)
    app.add_api_route("/openapi.json", lambda: described(app, service.model), methods=["GET"])
    for kind in (ModalloyError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, say)
    refuse_unlisted(app)
    return Gate(app, service, tokens, loopback=loopback)


async def say(request: Request, error: Exception) -> Response:
    """Any error as an answer."""
    asked = request.scope["asked"]
    match error:
        case RequestError():
            told = error
        case ModalloyError():
            status = 409 if isinstance(error, RunError) else 422
            told = RequestError(without_paths(str(error), request.app.state.service), status)
        case HTTPException():
            told = RequestError(f"{error.detail}.", error.status_code)
        case ClientDisconnect():  # nobody reads it; it is counted and written down as what it is
            told = RequestError("the connection ended before the request had arrived.", 400)
        case _:
            told = failed(asked)
    status, headers, body = error_answer(told, asked)
    return Response(body, status, headers)


def without_paths(text: str, service: Service) -> str:
    """A sentence without where things lie on this machine."""
    places = {service.deployment.path: "the deployment", service.model.version.path: "the model"}
    for path, name in places.items():
        for written in (str(path), str(path.resolve())):
            text = text.replace(written, name)
    return text


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    """Method and path of every route of an app."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods or ())


def refuse_unlisted(app: FastAPI) -> None:
    """AssertionError where app and table of routes differ: a route must say what it needs."""
    have, listed = set(routes_of(app)), {(rule.method, rule.path) for rule in ROUTES}
    assert have == listed, f"routes and serving/access.py differ: {sorted(have ^ listed)}"
