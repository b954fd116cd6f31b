"""`/predict`: rows as JSON, or as a form whose parts are files; an answer for each."""

from fastapi import APIRouter, Request, Response

from modalloy.serving.form import read_form
from modalloy.serving.gate import Asked
from modalloy.serving.plain import as_json
from modalloy.serving.rows import json_of, rows_in
from modalloy.serving.service import Answered, Service, shown_cells

router = APIRouter()


@router.post("/predict", response_class=Response)
async def predict(request: Request) -> Response:
    """Answers to rows, each as it would be alone.

    JSON: `{"rows": [{"column": cell, ...}]}`, and `"key": NAME` where each row holds its client's
    own name under NAME, which is handed back. A form: a field for each column of one row, files as
    parts; or a field `rows` with the rows as JSON and parts named `COLUMN` or `ROW.COLUMN`.
    """
    service: Service = request.app.state.service
    asked: Asked = request.scope["asked"]
    if asked.body == "form":
        sent = await read_form(request, service.model.columns, service.limits)
    else:
        sent = rows_in(await json_of(request), service.model.columns, service.limits)
    answered = await service.answer(sent.rows, source="http", request=asked.id, size=asked.size)
    note_rows(service, asked, answered)
    return Response(as_json(answered.as_dict(sent.keys)), media_type="application/json")


def note_rows(service: Service, asked: Asked, answered: Answered) -> None:
    """What the audit line says of rows; their cells only where the service was told to."""
    asked.facts |= {"rows": len(answered.rows), "version": answered.version}
    if service.audit_cells:
        asked.facts["cells"] = shown_cells(answered.rows)
