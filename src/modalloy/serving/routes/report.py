"""`/page/report`: the run's own report, for a frame inside the page."""

import asyncio

from fastapi import APIRouter, Request, Response

from modalloy.errors import RequestError
from modalloy.serving.page.rendered import report_of
from modalloy.serving.page.tickets import Tickets
from modalloy.serving.service import Service

router = APIRouter(include_in_schema=False)
HEADERS = {
    "content-security-policy": (
        "sandbox; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        "frame-ancestors 'self'"
    ),
    "x-frame-options": "SAMEORIGIN",
}


@router.post("/page/report")
async def ticket(request: Request) -> dict[str, str]:
    """A path at which the report is shown once: a frame sends no token."""
    if report_of(request.app.state.service.model) is None:
        raise RequestError("no report lies beside this model.", 404)
    tickets: Tickets = request.app.state.tickets
    return {"path": f"/page/report/{tickets.make()}"}


@router.get("/page/report/{ticket}")
async def report(request: Request, ticket: str) -> Response:
    """The report of the version that answers; it runs nothing and fetches nothing."""
    service: Service = request.app.state.service
    tickets: Tickets = request.app.state.tickets
    tickets.use(ticket)
    found = await asyncio.to_thread(report_of, service.model)
    if found is None:
        raise RequestError("no report lies beside this model.", 404)
    return Response(found, media_type="text/html", headers=HEADERS)
