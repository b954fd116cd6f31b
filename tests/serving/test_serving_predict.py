"""Rows over HTTP are answered as `predict` answers them, alone or beside others, in every form."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from modalloy.answer.predictor import Predictor
from modalloy.serving.plain import records_of
from modalloy.serving.served_model import STATUS
from served import JSON, rows_of, serving, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("predict"))


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with serving(run) as client:
        yield client


def wanted(run: Path, count: int) -> list[dict[str, Any]]:
    """What `predict` says of the first rows of the table, as JSON."""
    frame = Predictor(run).frame(run.parent / "parts.parquet", part=slice(0, count))
    names = [n for n in frame.columns if n != "row" and not n.startswith(STATUS)]
    return records_of({n: frame[n].tolist() for n in names}, len(frame))


def near(value: Any) -> Any:
    """The same value, a number but for the last bits."""
    return pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value


def assert_same(found: list[dict[str, Any]], said: list[dict[str, Any]]) -> None:
    """The same answers, numbers but for the last bits."""
    assert len(found) == len(said)
    for one, other in zip(found, said, strict=True):
        assert one["answer"].keys() == other.keys()
        for name, value in other.items():
            assert one["answer"][name] == near(value), name


def predict(client: TestClient, rows: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rows_of_json_are_answered_as_predict_answers_them(run: Path, client: TestClient) -> None:
    found = predict(client, rows_of(run, 12))
    assert_same(found["rows"], wanted(run, 12))
    assert (found["model"], found["version"]) == ("press", 1)
    assert found["rows"][3]["cells"]["photo"] == "missing"
    assert len({row["id"] for row in found["rows"]}) == 12


def test_rows_of_many_requests_at_once_are_each_answered_as_alone(
    run: Path, client: TestClient
) -> None:
    rows, said = rows_of(run, 24), wanted(run, 24)
    rows[1]["site"], rows[2]["taken_at"] = 3, "2024-01-05 10:00"  # other types in one batch
    alone = [predict(client, [row])["rows"][0]["answer"] for row in rows[:3]]
    before = client.service.metrics.batches._sum.get()
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda row: predict(client, [row])["rows"][0], rows))
    assert_same(found, alone + said[3:])
    assert client.service.metrics.batches._sum.get() == before + 24
    buckets = client.get("/metrics").text
    assert 'modalloy_batch_rows_bucket{le="1.0"}' in buckets


def test_a_form_of_fields_and_files(run: Path, client: TestClient) -> None:
    (row,) = rows_of(run, 1)
    photo = base64.b64decode(row["photo"]["base64"])
    fields = {"load": str(row["load"]), "note": row["note"], "taken_at": row["taken_at"]}
    fields["vibration"] = json.dumps(row["vibration"])
    sent = client.post("/predict", data=fields, files={"photo": ("a.png", photo, "image/png")})
    assert sent.status_code == 200, sent.text
    kept = row | {"sound": None, "site": None}
    assert_same(sent.json()["rows"], [predict(client, [kept])["rows"][0]["answer"]])


def test_a_form_of_rows_and_files(run: Path, client: TestClient) -> None:
    rows = rows_of(run, 3)
    files = {f"{at}.photo": ("x", base64.b64decode(r["photo"]["base64"])) for at, r in
             enumerate(rows)}  # fmt: skip
    bare = [r | {"photo": None} for r in rows]
    sent = client.post("/predict", data={"rows": json.dumps(bare)}, files=files)
    assert_same(sent.json()["rows"], wanted(run, 3))
    twice = client.post("/predict", data={"rows": json.dumps(rows)}, files=files)
    assert "row 0, column 'photo': has a cell and a file" in twice.json()["error"]
    lost = client.post("/predict", data={"rows": json.dumps(bare)}, files={"9.photo": b"x"})
    assert "the file '9.photo' is for no cell" in lost.json()["error"]


def test_kserve_tensors(run: Path, client: TestClient) -> None:
    rows, said = rows_of(run, 2), wanted(run, 2)
    tensors = []
    for name in rows[0]:
        cells = [r[name]["base64"] if isinstance(r[name], dict) else r[name] for r in rows]
        number = name in ("load", "vibration")
        shape = [2, len(cells[0])] if name == "vibration" else [2]
        if name == "vibration":  # flat, as the protocol has it
            cells = [x for cell in cells for x in cell]
        tensor = {"name": name, "shape": shape, "datatype": "FP64" if number else "BYTES"}
        tensors.append(tensor | {"data": cells})
    sent = client.post("/v2/models/press/infer", json={"id": "7", "inputs": tensors})
    assert sent.status_code == 200, sent.text
    found = sent.json()
    assert (found["id"], found["model_name"], found["model_version"]) == ("7", "press", "1")
    outputs = {o["name"]: o for o in found["outputs"]}
    for name, value in said[1].items():
        assert outputs[name]["data"][1] == near(value)
        assert outputs[name]["shape"] == [2]
    assert outputs["fault.probability"]["datatype"] == "FP64"
    assert client.get("/v2/models/press").json()["platform"] == "modalloy"
    assert client.get("/v2/models/other/ready").status_code == 404
    for change, why in [({"shape": [3]}, "does not fill"), ({"datatype": "X"}, "its datatype is"),
                        ({"name": "lod"}, "Did you mean 'load'?")]:  # fmt: skip
        bad = client.post(
            "/v2/models/press/infer",
            json={"inputs": [{"name": "load", "shape": [1], "datatype": "FP64", "data": [1.0, 2.0]}
                             | change]},
        )  # fmt: skip
        assert bad.status_code == 422
        assert why in bad.json()["error"]


def test_a_cell_that_cannot_be_read_is_refused_with_its_place(
    run: Path, client: TestClient
) -> None:
    rows = rows_of(run, 2)
    broken = base64.b64decode(rows[1]["photo"]["base64"])[:60]
    rows[1]["photo"] = {"base64": base64.b64encode(broken).decode()}
    rows[0]["taken_at"] = "the day after"
    one = client.post("/predict", json={"rows": rows[1:]})
    assert one.status_code == 422
    assert "row 0, column 'photo': the file given as bytes" in one.json()["error"]
    two = client.post("/predict", json={"rows": rows})
    assert "row 0, column 'taken_at': 'the day after' is no date" in two.json()["error"]


def test_a_table_is_answered_as_it_comes(run: Path, client: TestClient, tmp_path: Path) -> None:
    table = pd.DataFrame(rows_of(run, 30))
    for name in ("photo", "sound"):
        table[name] = [None if c is None else base64.b64decode(c["base64"]) for c in table[name]]
    table.to_parquet(tmp_path / "t.parquet")
    kind = {"content-type": "application/vnd.apache.parquet"}
    sent = client.post("/batch", content=(tmp_path / "t.parquet").read_bytes(), headers=kind)
    lines = [json.loads(line) for line in sent.text.splitlines()]
    assert_same(lines[:-1], wanted(run, 30))
    assert lines[-1] == {"rows": 30, "version": 1, "caveats": []}
    assert lines[0]["id"] in set(client.service.rows.frame()["row_id"])
    table["photo"] = table["sound"] = None
    table["vibration"] = table["vibration"].map(lambda v: None if v is None else str(v))
    given = {"content-type": "text/csv", "accept": "text/csv"}
    sent = client.post("/batch", content=table.to_csv(index=False).encode(), headers=given)
    found = sent.text.splitlines()
    assert len(found) == 31
    assert found[0].startswith("row,fault,")
    table["photo"] = "img/000.png"
    sent = client.post("/batch", content=table.to_csv(index=False).encode(), headers=given)
    assert sent.status_code == 422
    assert "No path in a request is ever opened" in sent.json()["error"]
    sent = client.post("/batch", content=table[["note"]].to_csv().encode(), headers=given)
    assert "the table lacks the columns 'photo'" in sent.json()["error"]
    assert "/" not in client.post("/batch", content=b"", headers=given).json()["error"]


def test_a_label_comes_back_to_its_row(run: Path, client: TestClient) -> None:
    row = predict(client, rows_of(run, 1))["rows"][0]["id"]
    label = {"id": row, "task": "fault", "label": "crack"}
    assert client.post("/feedback", json=label).json() == {"id": row, "task": "fault", "kept": True}
    told = client.post("/feedback", json=label | {"label": "Crack"}).json()
    assert told["note"].startswith("this model knows no 'Crack', so no refresh learns from it. Did")
    client.post("/feedback", json=label)
    frame = client.service.rows.frame(labelled=True)
    assert frame.set_index("row_id").loc[row, "fault_code"] == "crack"
    for change, status, said in [
        ({"id": "nothing"}, 409, "is not in the log"),
        ({"task": "fall"}, 422, "no task 'fall'"),
        ({"label": None}, 422, "label is null"),
        ({"label": " "}, 422, "label is empty"),
        ({"id": "x" * 201}, 422, "id has 201 letters"),
        ({"task": "life", "label": 10**350}, 422, "too large a number"),
        ({"label": ["crack"]}, 422, "one class"),
        ({"task": "life", "label": "long"}, 422, "answered by a number"),
        ({"extra": 1}, 422, "nothing else"),
    ]:
        sent = client.post("/feedback", json=label | change)
        assert (sent.status_code, said in sent.json()["error"]) == (status, True), sent.text


def test_a_row_is_explained_and_past_rows_are_found(run: Path, client: TestClient) -> None:
    (row,) = rows_of(run, 1)
    sent = client.post("/explain", json={"row": row, "task": "fault"})
    assert sent.status_code == 200, sent.text
    assert sent.json()["tasks"]["fault"]["columns"].keys() == row.keys()
    assert str(run) not in sent.text
    assert client.post("/explain", json={"row": row, "task": "no"}).status_code == 422
    for query in ({"text": "crack near"}, {"image": row["photo"]}, {"like": row}, {"row": 3}):
        sent = client.post("/search", json=query | {"top": 2})
        assert sent.status_code == 200, sent.text
        assert len(sent.json()["found"][0]) == 2
        assert str(run.parent) not in sent.text
    for query in ({"image": "img/000.png"}, {"top": 0}, {"row": -1}, {"where": 3}, {"x": 1}, {}):
        assert client.post("/search", json=query).status_code == 422, query


def test_the_model_and_its_columns_are_told_without_a_row_of_training(
    run: Path, client: TestClient
) -> None:
    told = client.get("/model").json()
    assert told["columns"]["load"]["unit"] == "kN"
    assert told["columns"]["site"]["names"] == ["north", "south", "west"]
    assert told["tasks"]["fault"]["classes"] == ["crack", "ok"]
    assert told["problem"] is None
    described = client.get("/openapi.json").json()
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert len(predict(client, body["example"]["rows"])["rows"]) == 1
    infer = described["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]
    sent = client.post("/v2/models/press/infer", json=infer["application/json"]["example"])
    assert sent.status_code == 200, sent.text
    notes = pd.read_parquet(run.parent / "parts.parquet")["note"].dropna()
    assert not [n for n in notes if n in client.get("/openapi.json").text]
    assert JSON["content-type"] == client.get("/model").headers["content-type"]
