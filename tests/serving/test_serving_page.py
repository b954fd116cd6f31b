"""What the page asks for: its form, why, past rows alike, the queue, counters, the report."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from conftest import COLUMNS
from modalloy.serving.access import FILES
from modalloy.serving.page.last_drift import FILE
from modalloy.serving.page.rendered import form
from modalloy.serving.schema import Column
from modalloy.watching.states import DRIFT
from served import rows_of, serving, small_run

REPORT = b"<!doctype html><title>report</title><style>p{}</style><p>made of rows"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run(tmp_path_factory.mktemp("page"))
    (run / "report.html").write_bytes(REPORT)
    return run


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with serving(run) as client:
        yield client


@pytest.fixture(scope="module")
def rows(run: Path) -> list[dict[str, Any]]:
    return rows_of(run, 6)


def test_the_frame_holds_nothing_of_the_model(client: TestClient) -> None:
    for header, lang, said in (("en", "en", "Skip"), ("zh-CN", "zh-Hans", "跳到正文")):
        answer = client.get("/", headers={"accept-language": header})
        assert f'<html lang="{lang}">' in answer.text
        assert said in answer.text
        assert not [n for n in (*COLUMNS, "press", "fault") if f">{n}" in answer.text]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    assert " style=" not in answer.text


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_ours(name: str, client: TestClient) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.headers["content-type"].startswith(FILES[name])
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert client.get("/static/../page/form.html").status_code == 404


def test_the_form_has_a_field_for_each_column(client: TestClient) -> None:
    html = client.get("/page/form", headers={"accept-language": "en"}).text
    assert [html.count(f'data-column="{name}"') for name in COLUMNS] == [1] * len(COLUMNS)
    low, high = client.service.model.columns["load"].low, client.service.model.columns["load"].high
    assert f'data-low="{low}"' in html
    assert "Training saw" in html
    assert low < high
    assert '<span class="unit">kN</span>' in html
    assert '<option value="north">' in html
    assert "训练数据范围" in client.get("/page/form", headers={"accept-language": "zh"}).text


def test_names_cannot_smuggle_html_in(client: TestClient) -> None:
    evil = "<img src=x onerror=alert(1)>'\""

    class Told:
        def __getattr__(self, name: str) -> Any:
            return getattr(client.service.model, name)

        columns = {evil: Column(evil, "category", unit=evil, names=(evil,))}  # noqa: RUF012

    html = form("en", Told())  # pyrefly: ignore
    assert "<img" not in html
    assert "data-model='{" in html
    assert html.count("onerror=alert(1)&gt;") >= 3


def test_why_marks_every_part_of_a_cell(client: TestClient, rows: list[dict[str, Any]]) -> None:
    answer = client.post("/page/why", json={"row": rows[0], "task": "fault"})
    assert answer.status_code == 200, answer.text
    (task,) = answer.json()["tasks"]
    assert {c["name"] for c in task["columns"]} <= set(COLUMNS)
    inside = {one["column"]: one for one in task["inside"]}
    assert inside["photo"]["marks"].startswith("data:image/png;base64,")
    words = "".join(word for word, _ in inside["note"]["words"])
    assert words == rows[0]["note"].replace(" ", "")
    assert all(-1 <= heat <= 1 for _, heat in inside["note"]["words"])
    (line,) = inside["vibration"]["lines"]
    assert len(line["points"]) == len(rows[0]["vibration"]) == 32
    assert len(line["heat"]) == len(inside["vibration"]["starts"])
    assert inside["sound"]["seconds"] is True
    assert inside["sound"]["end"] == pytest.approx(0.25)
    assert client.post("/page/why", json={"row": {}}).status_code == 422


def test_past_rows_come_with_pictures(client: TestClient, rows: list[dict[str, Any]]) -> None:
    answer = client.post("/page/alike", json={"like": rows[0]})
    assert answer.status_code == 200, answer.text
    found = answer.json()["rows"]
    assert len(found) == 5
    assert found[0]["row"] == 0
    assert found[0]["truth"]["fault_code"] in ("crack", "ok")
    shown = {cell["name"]: cell["html"] for cell in found[0]["cells"]}
    assert shown["photo"].startswith('<img class="thumb" src="data:')
    assert shown["sound"].startswith("<audio controls")
    assert client.post("/page/alike", json={"like": rows[0], "top": 9}).status_code == 422


def test_the_queue_loses_what_is_labelled(client: TestClient, rows: list[dict[str, Any]]) -> None:
    told = client.post("/predict", json={"rows": rows}).json()["rows"]
    found = client.get("/page/queue?task=fault&top=100").json()
    chance = {one["id"]: one["answer"]["fault.probability"] for one in told}
    mine = [row for row in found["rows"] if row["id"] in chance]
    assert [row["id"] for row in mine] == sorted(chance, key=lambda one: chance[one])
    assert found["waiting"] >= 6
    assert mine[0]["answer"]["fault"] in ("crack", "ok")
    missing = {c["name"] for row in mine for c in row["cells"] if c["html"] is None}
    assert "photo" in missing
    for row in mine[:2]:
        label = {"id": row["id"], "task": "fault", "label": "ok"}
        assert client.post("/feedback", json=label).is_success
    after = client.get("/page/queue?task=fault&top=100").json()
    assert after["waiting"] == found["waiting"] - 2
    assert {row["id"] for row in mine[:2]}.isdisjoint(row["id"] for row in after["rows"])
    life = client.get("/page/queue?task=life&top=1").json()
    assert (life["waiting"], len(life["rows"])) == (found["waiting"], 1)
    for bad in ("", "?task=x", "?task=fault&top=0", "?task=fault&top=101", "?task=fault&top=x"):
        assert client.get(f"/page/queue{bad}").status_code == 422


def test_counters_and_drift(run: Path, client: TestClient, rows: list[dict[str, Any]]) -> None:
    before = client.get("/page/live").json()
    client.post("/predict", json={"rows": rows})
    found = client.get("/page/live").json()
    assert found["rows"] == before["rows"] + 6
    assert found["requests"]["answered"] == before["requests"]["answered"] + 1
    assert found["latency_ms"]["p50"] > 0
    assert found["cells"]["missing"]["photo"] >= 1
    assert found["drift"] is None
    deployment = client.service.deployment
    place = deployment.path / FILE
    place.write_text(json.dumps({"rows": 40, "drifts": [{"where": "load", "said": "load rises"}]}))
    told = client.get("/page/live").json()["drift"]
    assert (told["rows"], told["said"]) == (40, ["load rises"])
    deployment.record(DRIFT, said="load falls")
    told = client.get("/page/live").json()["drift"]
    assert (told["rows"], told["said"]) == (None, ["load falls"])
    place.write_text("{}")
    assert client.get("/page/live").status_code == 409
    place.unlink()


def test_the_report_is_shown_once_a_ticket(run: Path, client: TestClient) -> None:
    path = client.post("/page/report").json()["path"]
    answer = client.get(path)
    assert answer.content == REPORT
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert client.get(path).status_code == 404
    (run / "report.html").rename(run / "aside")
    assert client.post("/page/report").status_code == 404
    (run / "aside").rename(run / "report.html")


def test_a_bundle_says_what_it_cannot(client: TestClient, rows: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(client.service.model), "is_bundle", True)
        assert client.post("/page/why", json={"row": rows[0]}).status_code == 409
        assert client.post("/page/alike", json={"like": rows[0]}).status_code == 409
        assert client.post("/page/report").status_code == 404
        assert '"bundle": true' in client.get("/page/form").text


def test_a_service_that_keeps_nothing_has_no_queue(run: Path) -> None:
    with serving(run, keep_rows=False) as client:
        assert client.get("/page/queue?task=fault").status_code == 409
