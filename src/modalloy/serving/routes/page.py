"""`/` and its files: the page, the form of the served model, and what it asks of single rows."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from modalloy.errors import RequestError
from modalloy.serving.access import FILES
from modalloy.serving.gate import Asked
from modalloy.serving.page.alike import alike_as_dict
from modalloy.serving.page.language import Language, language_of
from modalloy.serving.page.rendered import POLICY, form, frame, static
from modalloy.serving.page.why import why_as_dict
from modalloy.serving.plain import as_json
from modalloy.serving.routes import explain, search
from modalloy.serving.rows import check_rows, read_json
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
    html = form(language(request), service.model)
    return Response(html, media_type="text/html", headers={"vary": "accept-language"})


@router.post("/page/why")
async def why(request: Request) -> Response:
    """As `/explain`, with marks for every part of a cell instead of the strongest in words."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    row, task, label = explain.given(read_json(await request.body()))
    model = service.model
    if model.is_bundle:
        raise RequestError("a bundle answers, and cannot be looked into; serve its run.", 409)
    (cells,) = check_rows([row], model.columns, service.limits)
    asked.facts |= {"rows": 1, "version": model.version.number}
    told = await service.think(
        lambda: why_as_dict(explain.explained(model, cells, task, label, past=0))
    )
    return Response(as_json(told), media_type="application/json")


@router.post("/page/alike")
async def alike(request: Request) -> Response:
    """As `/search` with `like` alone, the found rows with thumbnails, players and curves."""
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    body = read_json(await request.body())
    model = service.model
    if not isinstance(body, dict) or list(body) != ["like"]:
        raise RequestError('send {"like": {"column": cell, ...}} alone.')
    if model.is_bundle:
        raise RequestError("a bundle holds no rows to be searched; serve its run.", 409)
    query = search.given(body | {"top": PAST}, model, service.limits)
    asked.facts |= {"rows": 1, "version": model.version.number}
    told = await service.think(lambda: alike_as_dict(search.searched(service, model, query)))
    return Response(as_json(told), media_type="application/json")


def language(request: Request) -> Language:
    """What the browser's person reads."""
    return language_of(request.headers.get("accept-language"))
