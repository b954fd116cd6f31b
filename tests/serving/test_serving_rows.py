"""Cells of a request are checked one by one; what is wrong is said with its row and column."""

import base64
import io
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modalloy.errors import RequestError
from modalloy.job import config
from modalloy.serving.limits import Limits
from modalloy.serving.rows import check_rows, read_json, rows_in
from modalloy.serving.schema import Column, grouping, picture, tone

LIMITS = Limits(rows=3, megapixels=0.01, seconds=1.0)
WAV = base64.b64decode(tone().partition(",")[2])


def columns(**kinds: Any) -> dict[str, Column]:
    return {name: Column(name, kind) for name, kind in kinds.items()}


def checked(kind: Any, cell: Any, **given: Any) -> Any:
    """The cell as a column of this kind takes it."""
    column = Column("x", kind, **given)
    (row,) = check_rows([{"x": cell, "y": 1}], {"x": column, **columns(y="number")}, LIMITS)
    return row["x"]


def b64(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "cell", "wanted"),
    [
        ("number", 3, 3.0),
        ("number", None, None),
        ("category", True, True),
        ("category", "north", "north"),
        ("time", "2024-05-31", "2024-05-31"),
        ("text", "", ""),
        ("tokens", ["a", "b"], ["a", "b"]),
        ("series", [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
        ("audio", tone(), WAV),
        ("image", b64(png(2, 2)), png(2, 2)),
        ("image", png(2, 2), png(2, 2)),
    ],
)
def test_cells_that_fit(kind: str, cell: Any, wanted: Any) -> None:
    assert checked(kind, cell) == wanted


def npz(size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", bytes(size))
    return out.getvalue()


BOMB = png(2000, 2000)  # 4 megapixels in a few kilobytes


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("number", "12", "is a text, not a number"),
        ("number", True, "is true or false, not a number"),
        ("number", 10**400, "is too large a number"),
        ("category", 2**63, "is too large a number"),
        ("category", ["a"], "is a list, not a category"),
        ("time", {}, "is an object, not a date"),
        ("text", 3, "is a number, not a text"),
        ("tokens", ["a", 1], "is a list, not a list of words"),
        ("series", [1, "a"], "holds a text where a series has a number"),
        ("series", [[1, 2], [3]], "its channels have different lengths"),
        ("series", "[1, 2]", "holds a text. No path"),
        ("image", "img/000.png", "No path or address in a request is ever opened"),
        ("image", "/etc/passwd", "No path or address in a request is ever opened"),
        ("image", "https://example.org/a.png", "No path or address in a request is ever opened"),
        ("image", {"path": "/etc/passwd"}, "is an object with path"),
        ("image", {"base64": "%%"}, "is no base64"),
        ("image", {"base64": ""}, "is an empty file"),
        ("image", {"base64": 3}, "is a number, not a picture"),
        ("image", b64(b"no picture"), "is no picture of the kinds"),
        ("image", b64(BOMB), "has 2000 x 2000 pixels, more than 0.01 megapixels"),
        ("audio", b64(WAV[:100]), "is cut off: its heading says 160 bytes of samples, 56 are"),
        ("audio", b64(b"RIFF\0\0\0\0WAVE"), "cannot be read as a recording"),
        ("series", b64(WAV[:100]), "is cut off"),
        ("series", b64(npz(70 << 20)), "unpacks to 70 MB, more than 64"),
    ],
)
def test_cells_that_do_not(kind: str, cell: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        checked(kind, cell)
    assert caught.value.status == 422
    assert str(caught.value).startswith("row 0, column 'x': ")
    assert said in str(caught.value)


def test_a_list_of_another_length_is_refused() -> None:
    assert np.isnan(checked("vector", [1, None], length=2)[1])
    with pytest.raises(RequestError, match="has 3 numbers, not 2"):
        checked("vector", [1, 2, 3], length=2)


def test_a_long_recording_is_refused_by_its_heading() -> None:
    long = bytearray(WAV + bytes(32_000))
    struct.pack_into("<I", long, 40, len(long) - 44)
    with pytest.raises(RequestError, match=r"lasts 2\.0 s, longer than 1 s"):
        checked("audio", b64(bytes(long)))


def test_rows_name_every_column_and_no_other() -> None:
    have = columns(load="number", site="category")
    fits = [{"load": None, "site": "a"}]
    assert check_rows(fits, have, LIMITS) == fits
    for rows, said in [
        ([{"load": 1}], "row 0: lacks column 'site'; write null where there is no cell"),
        ([*fits, {}], "row 1: lacks the columns 'load', 'site'"),
        ([{"load": 1, "site": 2, "sit": 3}], "reads no column 'sit'. Did you mean 'site'?"),
        ([[1]], "row 0: is a list, not an object"),
        ([{"load": None, "site": None}], "row 0: has no cell at all"),
    ]:
        with pytest.raises(RequestError) as caught:
            check_rows(rows, have, LIMITS)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"rows": [}', 400, "the body is no JSON"),
        (b'{"rows": [{"a": 1, "a": 2}]}', 400, "the key 'a' stands twice in one object"),
        (b'{"rows": [{"a": NaN}]}', 400, "NaN is no number of JSON"),
        (b"[" * 100_000, 400, "the body is no JSON"),
        (b'{"rows": ' + b"1" * 5000 + b"}", 400, "the body is no JSON"),
        (b"\xff", 400, "the body is no JSON"),
        (b"[]", 422, "the body has no rows"),
        (b'{"rows": {}}', 422, "rows is an object, not a list"),
        (b'{"rows": []}', 422, "rows is empty"),
        (b'{"rows": [{}], "row": 1}', 422, "the body has row beside rows and key"),
        (b'{"rows": [1, 2, 3, 4]}', 413, "4 rows are more than the 3 of one request"),
    ],
)
def test_bodies_that_are_no_rows(body: bytes, status: int, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        rows_in(read_json(body), {}, LIMITS)
    assert caught.value.status == status
    assert said in str(caught.value)


def test_an_example_picture_is_one() -> None:
    assert checked("image", picture(16)).startswith(b"\x89PNG")


def test_columns_that_group_rows_may_be_named() -> None:
    job = config.Job.model_validate(
        {
            "table": "t.csv",
            "split": {"column": "part", "by": "machine"},
            "columns": {"load": {"type": "number"}, "batch": {"type": "group"}},
            "tasks": {"kind": {"type": "classify", "target": "kind"}},
        }
    )
    assert grouping(job) == ["machine", "batch"]
    have = columns(load="number") | {"machine": Column("machine", "any", needed=False)}
    for rows in ([{"load": 1.0}], [{"load": 1.0, "machine": "m3"}]):
        assert check_rows(rows, have, LIMITS) == rows
