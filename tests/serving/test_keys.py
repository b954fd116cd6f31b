"""A row may be known to its client by a name of its own, which comes back with the answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from served import rows_of, serving, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with serving(run) as client:
        yield client


def test_a_key_comes_back_and_changes_no_answer(client: TestClient, run: Path) -> None:
    rows = rows_of(run, 3)
    plain = client.post("/predict", json={"rows": rows}).json()["rows"]
    keyed = [row | {"part": key} for row, key in zip(rows, ("A-1", 7, "A-1"), strict=True)]
    answer = client.post("/predict", json={"rows": keyed, "key": "part"})
    assert answer.status_code == 200, answer.text
    found = answer.json()["rows"]
    assert [row["key"] for row in found] == ["A-1", 7, "A-1"]
    assert [row["answer"] for row in found] == [row["answer"] for row in plain]
    assert "key" not in plain[0]
    kept = client.service.rows.frame()
    assert "part" not in kept.columns  # it is the client's, and kept nowhere


def test_a_column_may_be_the_key(client: TestClient, run: Path) -> None:
    rows = [row | {"machine": f"m{at}"} for at, row in enumerate(rows_of(run, 2))]
    found = client.post("/predict", json={"rows": rows, "key": "machine"}).json()["rows"]
    assert [row["key"] for row in found] == ["m0", "m1"]
    assert client.service.rows.frame()["machine"].tolist()[-2:] == ["m0", "m1"]


def test_rows_of_a_form_have_keys_too(client: TestClient, run: Path) -> None:
    rows = [row | {"part": f"p{at}"} for at, row in enumerate(rows_of(run, 2))]
    for row in rows:
        row["photo"] = None
    photo = {"1.photo": ("a.png", (run.parent / "img" / "001.png").read_bytes())}
    given: dict[str, Any] = {"data": {"rows": json.dumps(rows), "key": "part"}, "files": photo}
    answer = client.post("/predict", **given)
    assert answer.status_code == 200, answer.text
    found = answer.json()["rows"]
    assert [row["key"] for row in found] == ["p0", "p1"]
    assert [row["cells"]["photo"] for row in found] == ["missing", "ok"]


@pytest.mark.parametrize(
    ("part", "key", "said"),
    [
        ("A", None, "this model reads no column 'part'. If it is your own name of the row, say so"),
        ("A", "parts", "row 0: has no 'parts', which is to be handed back."),
        (None, "part", "row 0, 'part': is no text or whole number of at most 200 letters"),
        (True, "part", "so it is no key."),
        ("x" * 201, "part", "so it is no key."),
        (10**300, "part", "so it is no key."),
        ("A", 7, "key is a number, not the name"),
        ("A", "", "key is a text, not the name"),
    ],
)
def test_what_is_no_key(client: TestClient, run: Path, part: Any, key: Any, said: str) -> None:
    (row,) = rows_of(run, 1)
    answer = client.post("/predict", json={"rows": [row | {"part": part}], "key": key})
    assert answer.status_code == 422
    assert said in answer.json()["error"]
