"""Whatever a client sends gets a sentence and a status of its own, and the service lives on."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from test_serving_rows import BOMB, b64

from modalloy.serving.limits import Limits
from modalloy.serving.schema import tone
from modalloy.serving.service import TABLES
from served import JSON, rows_of, serving, small_run

LIMITS = Limits(body_mb=1.0, rows=1000, megapixels=1.0, rate=500.0)
FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with serving(run, limits=LIMITS) as client:
        yield client


def cut() -> dict[str, str]:
    wav = base64.b64decode(tone().partition(",")[2])
    return b64(wav[:100])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"load": "heavy"}, "row 0, column 'load': is a text, not a number."),
        ({"note": "x" * 100_001}, "has 100001 letters, more than the 100000 of one text."),
        ({"loud": 1}, "row 0: this model reads no column 'loud'. Did you mean 'load'?"),
        ({"photo": b64(BOMB)}, "has 2000 x 2000 pixels, more than 1 megapixels."),
        ({"sound": cut()}, "is cut off"),
        ({"photo": "../../etc/passwd"}, "No path or address in a request is ever opened"),
        ({"photo": "file:///etc/passwd"}, "No path or address in a request is ever opened"),
        ({"vibration": [[1, 2], [3, 4]]}, "2 channels, expected 1"),
    ],
)
def test_a_wrong_cell(client: TestClient, run: Path, change: Any, said: str) -> None:
    (row,) = rows_of(run, 1)
    sent = client.post("/predict", json={"rows": [row | change]})
    assert sent.status_code == 422
    assert said in sent.json()["error"]
    assert client.post("/predict", json={"rows": [row]}).status_code == 200


def test_a_row_that_lacks_a_column_and_one_that_lacks_its_cell(
    client: TestClient, run: Path
) -> None:
    (row,) = rows_of(run, 1)
    assert client.post("/predict", json={"rows": [row | {"load": None}]}).status_code == 200
    del row["load"]
    sent = client.post("/predict", json={"rows": [row]})
    assert (sent.status_code, sent.json()["error"]) == (
        422,
        "row 0: lacks column 'load'; write null where there is no cell.",
    )


def field(name: str, data: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), data)


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"{", JSON, 400, "the body is no JSON"),
        (json.dumps({"rows": [{}] * 10_000}).encode(), JSON, 413, "10000 rows are more than"),
        (bytes(1 << 20) + b"x", JSON, 413, "at most 1 MB is read here"),
        (b"{}", {"content-type": "text/xml"}, 415, "send application/json or multipart/form-data"),
        (b"{}", {}, 415, "say so in the header Content-Type"),
        (b"--x\r\nno form", FORM, 400, "it is no multipart/form-data"),
        (b"", {"content-type": "multipart/form-data"}, 400, "it is no multipart/form-data"),
        (b"other--x--", FORM, 400, "it is no multipart/form-data"),
        (field("y" * 50_000, b"1") + b"--x--\r\n", FORM, 400, "it is no multipart/form-data"),
        (
            field("note", b"loud") + field("load", b"1"),
            FORM,
            400,
            "was cut off before",
        ),
        (field("note", b"caf\xe9") + b"--x--\r\n", FORM, 400, "the field 'note' is not UTF-8"),
        (
            b'{"rows": [{"note": "caf\xe9"}]}',
            JSON,
            400,
            "it is not UTF-8 from byte 23 on",
        ),
        (b'{"rows": [{"note": "\\ud800"}]}', JSON, 400, "the body holds half a letter"),
        (b"[" * 100_000, JSON, 400, "it is nested too deeply"),
        (b'{"rows": [{"load": ' + b"9" * 5000, JSON, 400, "a number of 5000 digits is more than"),
        (
            b'--x\r\nContent-Disposition: form-data; name="load"\r\n\r\nheavy\r\n--x--\r\n',
            FORM,
            422,
            "column 'load': write a number, as 12.5; it is none.",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\na\r\n'
            b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nb\r\n--x--\r\n',
            FORM,
            422,
            "two parts named 'note'",
        ),
    ],
)
def test_a_wrong_body(
    client: TestClient, run: Path, content: bytes, headers: Any, status: int, said: str
) -> None:
    sent = client.post("/predict", content=content, headers=headers)
    assert (sent.status_code, said in sent.json()["error"]) == (status, True), sent.text
    assert client.get("/ready").status_code == 200


def test_a_body_of_many_keys_does_not_take_their_square(client: TestClient) -> None:
    keys = ",".join(f'"k{at}":0' for at in range(60_000))
    begun = time.monotonic()
    sent = client.post("/predict", content=f'{{{keys},"k0":1}}'.encode(), headers=JSON)
    assert (sent.status_code, sent.json()["error"]) == (
        400,
        "the body is no JSON: the key 'k0' stands twice in one object.",
    )
    keys = ",".join(f'"k{at}":0' for at in range(60_000))
    sent = client.post("/predict", content=f'{{{keys},"k59999":1}}'.encode(), headers=JSON)
    assert "'k59999' stands twice" in sent.json()["error"]
    assert time.monotonic() - begun < 10  # by the square it was a minute


def test_names_are_not_echoed_whole(client: TestClient) -> None:
    sent = client.post("/predict", json={"rows": [], "x" * 10_000: 1})
    assert sent.status_code == 422
    assert len(sent.json()["error"]) < 200


def test_a_number_of_many_digits_names_no_row(client: TestClient) -> None:
    name = f"{'9' * 3000}.photo"
    form = {"data": {"rows": "[{}]"}, "files": {name: ("a.png", b"x")}}
    sent = client.post("/predict", **form)
    assert (sent.status_code, "is for no cell" in sent.json()["error"]) == (422, True), sent.text


def test_tables_beyond_those_that_are_answered_at_once_wait(client: TestClient) -> None:
    service = client.service
    with contextlib.ExitStack() as held:
        for _ in range(TABLES):
            held.enter_context(service.room_for_table())
        sent = client.post("/batch", content=b"load\n1\n", headers={"content-type": "text/csv"})
        assert (sent.status_code, sent.headers["retry-after"]) == (503, "2"), sent.text
        assert sent.json()["error"] == "4 tables are answered already; ask again."
    assert service.tables == 0
    for body in (b"load\n1\n", b""):  # one that is refused gives its room back
        headers = {"content-type": "text/csv"}
        assert client.post("/batch", content=body, headers=headers).status_code == 422
    assert service.tables == 0


def test_a_body_without_its_size_is_counted_as_it_comes(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 16)

    sent = client.post("/predict", content=parts(), headers=JSON)
    assert sent.status_code == 413
    assert sent.json()["error"] == "the body is too large; at most 1 MB is read here."


def test_a_client_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run, limits=Limits(rate=2.0)) as client:
        found = [client.get("/health") for _ in range(12)]
        late = [f for f in found if f.status_code == 429]
        assert found[0].status_code == 200
        assert late
        assert late[0].headers["retry-after"] == "1"
        assert "more than 2 requests a second" in late[0].json()["error"]


def test_rows_are_not_kept_where_nothing_is_to_be(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run, keep_rows=False) as client:
        (row,) = client.post("/predict", json={"rows": rows_of(run, 1)}).json()["rows"]
        assert row["id"] is None
        label = {"id": "x", "task": "fault", "label": "ok"}
        assert client.post("/feedback", json=label).status_code == 409
        assert not (client.service.deployment.path / "rows.sqlite").exists()


def test_letters_of_utf8_in_a_form_are_read(client: TestClient) -> None:
    note = field("note", "Öl, 漏れ".encode())
    sent = client.post("/predict", content=note + b"--x--\r\n", headers=FORM)
    assert sent.status_code == 200
    assert sent.json()["rows"][0]["cells"]["note"] == "ok"


def test_a_table_of_a_text_that_holds_others_up(client: TestClient, run: Path) -> None:
    row = {**dict.fromkeys(rows_of(run, 1)[0], ""), "note": "x" * 100_001}
    table = f"{','.join(row)}\n{','.join(row.values())}\n"
    sent = client.post("/batch", content=table, headers={"content-type": "text/csv"})
    assert sent.status_code == 422
    assert "column 'note': has 100001 letters" in sent.json()["error"]


def test_tensors_of_nothing(client: TestClient) -> None:
    sent = client.post("/v2/models/press/infer", json={"inputs": []})
    assert sent.json()["error"] == "inputs is empty; send a tensor for each column."
