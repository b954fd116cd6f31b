"""`/health`, `/ready` and KServe's `/v2/health`: whether the service lives and answers."""

from fastapi import APIRouter, Request

from modalloy.errors import RequestError

router = APIRouter()


@router.get("/health")
@router.get("/v2/health/live")
async def health() -> dict[str, bool]:
    """The service lives."""
    return {"live": True}


@router.get("/ready")
@router.get("/v2/health/ready")
async def ready(request: Request) -> dict[str, bool]:
    """A model is loaded and answers; 503 while the service ends."""
    if not request.app.state.service.ready:
        raise RequestError("the service is ending.", 503, retry_s=1.0)
    return {"ready": True}
