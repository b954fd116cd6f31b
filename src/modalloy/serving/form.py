"""A form of a request as rows: fields are cells, parts with a file name are their files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from modalloy.errors import RequestError
from modalloy.serving.limits import Limits
from modalloy.serving.plain import whole
from modalloy.serving.rows import Sent, keyed, read_aside, read_json, refuse_count
from modalloy.serving.schema import MEDIA, Column

ROWS, KEY = "rows", "key"
FIELDS = 2000  # of one form, and as many files
BROKEN = (MultiPartException, FormParserError, HTTPException, KeyError, UnicodeDecodeError)


async def read_form(request: Request, columns: Mapping[str, Column], limits: Limits) -> Sent:
    """The rows of a form; RequestError (400) for a broken one.

    Without a field `rows` every field is a cell of one row, as text; empty ones are null, and a
    column that the form lacks is null as well, since a form cannot say null. With it, files join
    the rows: `photo` the only one, `2.photo` the third; and a field `key` may stand beside it.
    """
    data = await request.body()
    refuse_cut(data, request.headers.get("content-type", ""))
    given = {"max_files": FIELDS, "max_fields": FIELDS, "max_part_size": limits.body_bytes}
    try:
        async with request.form(**given) as form:
            pairs = list(form.multi_items())
            texts = [(name, v) for name, v in pairs if isinstance(v, str)]
            sent = [(name, v) for name, v in pairs if isinstance(v, UploadFile)]
            files = [(name, await v.read()) for name, v in sent if v.filename]  # chosen at all
    except BROKEN as error:
        raise RequestError("the form cannot be read: it is no multipart/form-data.", 400) from error
    refuse_letters(texts, data)
    refuse_twice([name for name, _ in pairs])
    if empty := [name for name, data in files if not data]:
        raise RequestError(f"the file '{empty[0]:.60}' is empty; leave it out where there is none.")
    fields = dict(texts)
    if ROWS not in fields or ROWS in columns:
        cells = {n: cell_of(text, columns.get(n), n) for n, text in fields.items()}
        absent = {n: None for n, c in columns.items() if c.needed}
        return Sent([absent | cells | dict(files)])
    text = fields[ROWS].encode()
    rows = await read_aside(lambda: read_json(text), len(text))
    alone = not fields.keys() - {ROWS, KEY}
    if not alone or not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise RequestError(
            "the field rows is a list of rows as JSON, and no other text is sent but key."
        )
    refuse_count(len(rows), limits)
    for name, data in files:
        row, column = place_of(name, columns, len(rows))
        if rows[row].get(column) is not None:
            raise RequestError(f"row {row}, column '{column}': has a cell and a file; send one.")
        rows[row][column] = data
    return keyed(rows, fields.get(KEY), columns)


def refuse_cut(data: bytes, content_type: str) -> None:
    """RequestError (400) for a form that ends before its last boundary: a part of it may lack."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if b"--" + boundary + b"--" not in data:
        raise RequestError(
            "the form cannot be read: it is no multipart/form-data, or was cut off before the "
            "boundary that ends it.",
            400,
        )


def refuse_letters(texts: Sequence[tuple[str, str]], data: bytes) -> None:
    """RequestError (400) for a field that is not UTF-8: it was read as other letters instead."""
    for name, text in texts:
        if not text.isascii() and b"\r\n\r\n" + text.encode() + b"\r\n" not in data:
            raise RequestError(f"the field '{name:.60}' is not UTF-8; write it so.", 400)


def refuse_twice(names: list[str]) -> None:
    """RequestError where two parts are of the same name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise RequestError(f"the form has two parts named '{twice:.60}'; which one is meant?")


def place_of(name: str, columns: Mapping[str, Column], rows: int) -> tuple[int, str]:
    """Row and column that a file is for."""
    if name in columns and rows == 1:
        return 0, name
    row, _, column = name.partition(".")
    at = whole(row)
    if at is None or at >= rows or column not in columns:
        raise RequestError(
            f"the file '{name:.60}' is for no cell: name its part ROW.COLUMN, the row counted from "
            f"0 and less than {rows}."
        )
    return at, column


def cell_of(text: str, column: Column | None, name: str) -> Any:
    """A field of a form as JSON would have it: numbers and lists are written in it as text."""
    if not text.strip():
        return None
    if column is None or column.kind in ("text", "category", "time", "any"):
        return text
    if column.kind in MEDIA and not text.lstrip().startswith("["):
        return text
    try:
        return read_json(text.encode())
    except RequestError as error:
        what = "a number, as 12.5" if column.kind == "number" else "a list as JSON, as [1, 2.5]"
        raise RequestError(f"column '{name:.60}': write {what}; it is none.") from error
