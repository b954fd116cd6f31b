"""`/` and its files: the page, the form of the served model, and what it asks of single rows."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from modalloy.errors import RequestError
from modalloy.serving.access import FILES
from modalloy.serving.gate import Asked
from modalloy.serving.language import Language
from modalloy.serving.page.alike import alike_html
from modalloy.serving.page.answered import answer_html
from modalloy.serving.page.rendered import POLICY, form, frame, static
from modalloy.serving.routes import explain, search
from modalloy.serving.routes.predict import note_rows
from modalloy.serving.rows import json_of, read_aside
from modalloy.serving.service import Service

router = APIRouter(include_in_schema=False)
PAST = 5  # rows that are shown beside one


@router.get("/")
async def page(request: Request) -> Response:
    """The page without anything of the model, which it asks for."""
    headers = {"content-security-policy": POLICY, "vary": "accept-language"}
    return Response(frame(language(request)), media_type="text/html", headers=headers)


def sender(name: str) -> Callable[[], Awaitable[Response]]:
    """Sends a file of the page; a browser asks each time whether it is the newest."""

    async def send() -> Response:
        return Response(static(name), media_type=FILES[name], headers={"cache-control": "no-cache"})

    return send


for name in FILES:
    router.add_api_route(f"/static/{name}", sender(name), methods=["GET"])


@router.get("/page/form")
async def fields(request: Request) -> Response:
    """The form of the model that answers now, as a piece of HTML."""
    service: Service = request.app.state.service
    return html(form(language(request), service.model))


@router.post("/page/answer")
async def answer(request: Request) -> Response:
    """As `/predict` for `{"row": {...}}`, the answer as a piece of HTML."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    body = await json_of(request)
    if not isinstance(body, dict) or list(body) != ["row"]:
        raise RequestError('send {"row": {"column": cell, ...}} alone.')
    model = service.model
    given = {"source": "page", "request": asked.id, "size": asked.size}
    answered = await service.answer([body["row"]], **given)
    note_rows(service, asked, answered)
    return html(await asyncio.to_thread(answer_html, language(request), model, answered))


@router.post("/page/why")
async def why(request: Request) -> Response:
    """As `/explain`, drawn: every part of a cell is marked, not the strongest alone."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    row, task, label = explain.given(await json_of(request))
    model = service.model
    if model.is_bundle:
        raise RequestError("a bundle answers, and cannot be looked into; serve its run.", 409)
    (cells,) = await service.check(model, [row], asked.size)
    asked.facts |= {"rows": 1, "version": model.version.number}

    def reasons() -> str:
        from modalloy.serving.page.why import why_html  # torch, which bundles do without

        # Past rows are asked for by themselves.
        found = explain.explained(model, cells, task, label, past=0)
        return why_html(language(request), found)

    return html(await service.think(reasons))


@router.post("/page/alike")
async def alike(request: Request) -> Response:
    """As `/search` with `like` alone, the found rows with thumbnails, players and curves."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    body = await json_of(request)
    model = service.model
    if not isinstance(body, dict) or list(body) != ["like"]:
        raise RequestError('send {"like": {"column": cell, ...}} alone.')
    if model.is_bundle:
        raise RequestError("a bundle holds no rows to be searched; serve its run.", 409)
    sent = body | {"top": PAST}
    query = await read_aside(lambda: search.given(sent, model, service.limits), asked.size)
    asked.facts |= {"rows": 1, "version": model.version.number}

    def found() -> str:
        return alike_html(language(request), search.searched(service, model, query))

    return html(await service.think(found))


def html(piece: str) -> Response:
    """A piece of HTML in the language of who asked."""
    return Response(piece, media_type="text/html", headers={"vary": "accept-language"})


def language(request: Request) -> Language:
    """What the browser's person reads."""
    asked: Asked = request.scope["asked"]
    return asked.language
