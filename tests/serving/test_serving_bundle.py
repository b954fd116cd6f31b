"""A bundle is served as a run is: rows, the page, labels; it cannot be looked into or searched."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from golden_rows import BUNDLE, golden_answers, golden_rows
from served import plain, serving
from test_imports import NEVER_IN_BUNDLES, loaded_by


def test_a_bundle_is_served_without_what_trains() -> None:
    code = "import modalloy.serving.app, modalloy.serving.serve_run, modalloy.deployment.row_log"
    assert not loaded_by(code) & NEVER_IN_BUNDLES


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    place = tmp_path_factory.mktemp("bundle") / "model.zip"
    shutil.copyfile(BUNDLE, place)
    with serving(place) as client:
        yield client


@pytest.fixture(scope="module")
def rows(client: TestClient) -> list[dict[str, Any]]:
    """The first rows of its table as a client sends them."""
    found = []
    for row in golden_rows().head(6).to_dict("records"):
        cells = {n: plain(row.get(n)) for n, c in client.service.model.columns.items() if c.read}
        for name, column in client.service.model.columns.items():
            if isinstance(cells.get(name), str) and column.kind in ("number", "vector"):
                cells[name] = json.loads(cells[name].replace(",", ".") if column.kind == "number"
                                         else cells[name])  # fmt: skip
        found.append(cells)
    return found


def test_rows_are_answered_as_they_were_when_it_was_made(
    client: TestClient, rows: list[dict[str, Any]]
) -> None:
    assert client.get("/model").json()["kind"] == "bundle"
    answer = client.post("/predict", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    wanted = golden_answers()
    for at, row in enumerate(answer.json()["rows"]):
        for task in client.service.model.predictor.run.job.tasks:
            said, then = row["answer"][task], wanted[task][at]
            assert said == (pytest.approx(then, rel=1e-4) if isinstance(then, float) else then)


def test_a_whole_table_is_answered(client: TestClient) -> None:
    text = golden_rows().to_csv(index=False, sep=";")
    answer = client.post("/batch", content=text.encode(), headers={"content-type": "text/csv"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["rows"] == len(lines) - 1 == len(golden_rows())


def test_the_page_answers_and_labels(client: TestClient, rows: list[dict[str, Any]]) -> None:
    form = client.get("/page/form")
    assert form.text.count('class="field"') == sum(
        column.read for column in client.service.model.columns.values()
    )
    answer = client.post("/page/answer", json={"row": rows[0]})
    assert answer.status_code == 200, answer.text
    assert "A bundle answers and cannot be looked into" in answer.text
    assert 'data-do="why"' not in answer.text
    row = answer.text.partition('data-row="')[2].partition('"')[0]
    task = next(iter(client.service.model.predictor.run.job.tasks))
    waiting = client.get(f"/page/queue?task={task}&top=100")
    assert waiting.status_code == 200, waiting.text
    assert f'data-row="{row}"' in waiting.text
    label = {"id": row, "task": task, "label": "ok"}
    assert client.post("/feedback", json=label).json()["kept"] is True
    assert f'data-row="{row}"' not in client.get(f"/page/queue?task={task}&top=100").text
    assert client.get("/page/live").status_code == 200


@pytest.mark.parametrize(
    ("path", "name", "status", "said"),
    [
        ("/explain", "row", 409, "cannot be looked into; serve its run"),
        ("/page/why", "row", 409, "cannot be looked into; serve its run"),
        ("/search", "like", 409, "holds no rows to be searched; serve its run"),
        ("/page/alike", "like", 409, "holds no rows to be searched; serve its run"),
        ("/page/report", "", 404, "no report lies beside this model"),
    ],
)
def test_what_a_bundle_cannot(
    client: TestClient, rows: list[dict[str, Any]], path: str, name: str, status: int, said: str
) -> None:
    answer = client.post(path, json={name: rows[0]}) if name else client.post(path)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
