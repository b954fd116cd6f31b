"""What the page asks for: its form, why, past rows alike, the queue, counters, the report."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from conftest import COLUMNS
from modalloy.serving.access import FILES
from modalloy.serving.page.last_drift import FILE
from modalloy.serving.page.numbers import num, percent
from modalloy.serving.page.rendered import form
from modalloy.serving.schema import Column
from modalloy.watching.states import DRIFT
from served import rows_of, serving, small_run

REPORT = b"<!doctype html><title>report</title><style>p{}</style><p>made of rows"


class Seen(HTMLParser):
    """A piece of HTML as a list of its elements, each with its attributes and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {k: v or "" for k, v in attrs}, []))
        if tag not in ("img", "input"):
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.found[self.open.pop()][0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for at in self.open:
            self.found[at][2].append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for name, given, _ in self.found if name == tag]

    def texts(self, tag: str, kind: str = "") -> list[str]:
        """Of elements whose class begins so."""
        return [
            "".join(text).strip()
            for name, given, text in self.found
            if name == tag and given.get("class", "").startswith(kind)
        ]


def seen(answer: Any) -> Seen:
    assert answer.status_code == 200, answer.text
    page = Seen()
    page.feed(answer.text)
    return page


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


def test_columns_that_only_say_what_belongs_together_are_not_asked_for(client: TestClient) -> None:
    column = client.service.model.columns["machine"]
    assert (column.needed, column.read) == (False, False)
    assert "machine" not in client.get("/page/form").text
    assert client.get("/model").json()["columns"]["machine"]["read"] is False


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


def test_an_answer_is_drawn_as_predict_gives_it(
    client: TestClient, rows: list[dict[str, Any]]
) -> None:
    told = client.post("/predict", json={"rows": rows[:1]}).json()["rows"][0]["answer"]
    page = seen(client.post("/page/answer", json={"row": rows[0]}))
    assert page.texts("p", "big") == [told["fault"], f"{num(told['life'])} h"]
    chances = sorted((told["fault.p[crack]"], told["fault.p[ok]"]), reverse=True)
    assert page.texts("span", "said") == [percent(p) for p in chances]
    labels = [json.loads(one["data-label"]) for one in page.all("button") if "data-label" in one]
    assert labels[0] == told["fault"]
    assert set(labels) == {"crack", "ok"}
    assert {one["data-do"] for one in page.all("button") if "data-do" in one} == {
        "label", "why", "alike",
    }  # fmt: skip
    zh = client.post("/page/answer", json={"row": rows[0]}, headers={"accept-language": "zh"}).text
    assert "答案正确吗" in zh
    for bad in ({}, {"row": 1}, {"row": rows[0], "task": "fault"}):
        assert client.post("/page/answer", json=bad).status_code == 422


def test_why_marks_every_part_of_a_cell(client: TestClient, rows: list[dict[str, Any]]) -> None:
    answer = client.post("/page/why", json={"row": rows[0], "task": "fault"})
    page = seen(answer)
    assert set(page.texts("span", "name")) <= set(COLUMNS)
    assert {"photo", "note", "vibration", "sound"} <= set(page.texts("figcaption"))
    (marks,) = [one for one in page.all("img") if one.get("class") == "marks"]
    assert marks["src"].startswith("data:image/png;base64,")
    words = page.texts("span", "for h") + page.texts("span", "against h")
    assert sorted("".join(words)) == sorted(rows[0]["note"].replace(" ", ""))
    line = page.all("polyline")[0]
    assert len(line["points"].split()) >= len(rows[0]["vibration"]) == 32
    assert "0.25 s" in page.texts("span")
    assert " style=" not in answer.text  # which the page's policy would not let in
    assert client.post("/page/why", json={"row": {}}).status_code == 422


def test_past_rows_come_with_pictures(client: TestClient, rows: list[dict[str, Any]]) -> None:
    answer = client.post("/page/alike", json={"like": rows[0]})
    page = seen(answer)
    assert page.texts("h3")[0] == "Row 0"
    assert len(page.texts("h3")) == 5
    assert page.texts("b")[0] in ("crack", "ok")
    assert answer.text.count('<img class="thumb" src="data:') >= 3
    assert "<audio controls" in answer.text
    assert client.post("/page/alike", json={"like": rows[0], "top": 9}).status_code == 422


def test_the_queue_loses_what_is_labelled(client: TestClient, rows: list[dict[str, Any]]) -> None:
    told = client.post("/predict", json={"rows": rows}).json()["rows"]
    chance = {one["id"]: one["answer"]["fault.probability"] for one in told}
    waiting, found = queue(client, "task=fault&top=100")
    mine = [row for row in found if row in chance]
    assert mine == sorted(chance, key=lambda one: chance[one])
    assert waiting >= 6
    assert queue(client, "task=fault&top=3&past=2") == (waiting, found[2:5])
    assert queue(client, f"task=fault&past={waiting}") == (waiting, [])
    html = client.get("/page/queue?task=fault&top=100").text
    assert html.count('class="absent"') >= 1
    for row in mine[:2]:
        label = {"id": row, "task": "fault", "label": "ok"}
        assert client.post("/feedback", json=label).is_success
    after, left = queue(client, "task=fault&top=100")
    assert after == waiting - 2
    assert set(mine[:2]).isdisjoint(left)
    life, first = queue(client, "task=life&top=1")
    assert (life, len(first)) == (waiting, 1)
    for bad in ("", "?task=x", "?task=fault&top=0", "?task=fault&top=101", "?task=fault&top=x"):
        assert client.get(f"/page/queue{bad}").status_code == 422
    for bad in ("top", "past"):  # which Python would take seconds to count
        assert client.get(f"/page/queue?task=fault&{bad}={'9' * 5000}").status_code == 422


def queue(client: TestClient, asked: str) -> tuple[int, list[str]]:
    """How many rows wait, and the rows that are shown."""
    page = seen(client.get(f"/page/queue?{asked}"))
    (foot,) = [one for one in page.all("p") if "data-waiting" in one]
    return int(foot["data-waiting"]), [one["data-row"] for one in page.all("article")]


def test_counters_and_drift(run: Path, client: TestClient, rows: list[dict[str, Any]]) -> None:
    def live() -> tuple[float, float, str]:
        answer = client.get("/page/live")
        page = seen(answer)
        answered, total = (float(text) for text in page.texts("p", "big")[:2])
        return answered, total, answer.text

    before = live()
    client.post("/predict", json={"rows": rows})
    answered, total, html = live()
    assert (answered, total) == (before[0] + 1, before[1] + 6)
    assert " ms</p>" in html
    assert '<span class="name">photo</span>' in html
    assert "Nothing was watched yet" in html
    deployment = client.service.deployment
    place = deployment.path / FILE
    place.write_text(json.dumps({"rows": 40, "drifts": [{"where": "load", "said": "load rises"}]}))
    html = live()[2]
    assert "load rises" in html
    assert "40 rows" in html
    deployment.record(DRIFT, said="load falls")
    html = live()[2]
    assert "load falls" in html
    assert "in the rows that were answered" in html
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
        html = client.post("/page/answer", json={"row": rows[0]}).text
        assert "A bundle answers and cannot be looked into" in html
        assert 'data-do="why"' not in html


def test_a_service_that_keeps_nothing_has_no_queue(run: Path) -> None:
    with serving(run, keep_rows=False) as client:
        assert client.get("/page/queue?task=fault").status_code == 409
