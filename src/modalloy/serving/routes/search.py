"""`/search`: the rows that were learned from, or others of the run's table, nearest to a query."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from modalloy.checks.finding import some
from modalloy.errors import ModalloyError, RequestError
from modalloy.serving.gate import Asked
from modalloy.serving.limits import Limits
from modalloy.serving.media_cells import called, check_file, file_of
from modalloy.serving.plain import as_json, named, plain
from modalloy.serving.rows import check_rows, json_of, read_aside
from modalloy.serving.schema import Column
from modalloy.serving.served_model import NOWHERE, ServedModel
from modalloy.serving.service import Service
from modalloy.table.open_table import open_table

if TYPE_CHECKING:
    from modalloy.retrieval.found import Found

router = APIRouter()
TEXTS = ("text", "column", "against")
KEYS = (*TEXTS, "image", "audio", "row", "like", "where", "top")
MOST = 100  # rows that are found at once


@router.post("/search", response_class=Response)
async def search(request: Request) -> Response:
    """Past rows nearest to one query: `text`, `image`, `audio`, `row` (a number in the run's
    table) or `like` (a row's cells); with `where`, `column`, `against` and `top` as
    `modalloy search` has them. Needs the run and its table: 409 without.
    """
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    model = service.model
    body = await json_of(request)
    if model.is_bundle:
        raise RequestError("a bundle holds no rows to be searched; serve its run.", 409)
    query = await read_aside(lambda: given(body, model, service.limits), asked.size)
    asked.facts |= {"version": model.version.number}
    found = await service.think(lambda: nearest(service, model, query))
    told = {"model": model.name, "version": model.version.number, **found}
    return Response(as_json(told), media_type="application/json")


def given(body: Any, model: ServedModel, limits: Limits) -> dict[str, Any]:
    """A query as `Searcher.search` takes it; RequestError for anything else."""
    if not isinstance(body, dict):
        raise RequestError(f"the body is {called(body)}, not an object with a query.")
    if unknown := [k for k in body if k not in KEYS]:
        raise RequestError(f"search knows no {named(unknown)}; it has {some(KEYS, 12)}.")
    found = {k: v for k, v in body.items() if v is not None}
    for name in TEXTS:
        if name in found and not isinstance(found[name], str):
            raise RequestError(f"{name} is {called(found[name])}, not a text.")
    for kind in ("image", "audio"):
        if kind in found:
            column = Column(kind, kind)
            data = file_of(found[kind], column, kind)
            found[kind] = check_file(data, column, kind, limits)
    for name, low, high in (("row", 0, 2**40), ("top", 1, MOST)):
        value = found.get(name, low)
        if type(value) is not int or not low <= value <= high:
            raise RequestError(f"{name} is no whole number from {low} to {high}.")
    where = found.get("where", [])
    if not isinstance(where, list) or not all(isinstance(w, str) for w in where):
        raise RequestError('where is no list of conditions, such as ["load=2..5"].')
    if "like" in found:
        cells = check_rows([found["like"]], model.columns, limits)
        found["like"] = open_table(cells, folder=NOWHERE)
    return found


def nearest(service: Service, model: ServedModel, query: dict[str, Any]) -> dict[str, Any]:
    """What is found, as JSON without names of files on this machine."""
    found = searched(service, model, query).as_dict()
    return plain({k: v for k, v in found.items() if k not in ("table", "run")})


def searched(service: Service, model: ServedModel, query: dict[str, Any]) -> "Found":
    """What is found; RequestError (409) where the run's table is not what it was."""
    try:
        searcher = service.searchers.of(model)
    except ModalloyError as error:
        raise RequestError(
            "the rows of this run cannot be searched here any more; its table is "
            "gone or was changed.",
            409,
        ) from error
    return searcher.search(**query)
