"""`/metrics`: counters for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

router = APIRouter()


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """All counters of this service, as Prometheus reads them."""
    return Response(request.app.state.service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
