"""The version that answers changes while requests run: none fails, each says which answered it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from modalloy.deployment.deployment import Deployment
from modalloy.serving import current
from served import rows_of, serving, small_run


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "LOOK_S", 0.02)


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    last = time.monotonic() + 60
    while not done():
        assert time.monotonic() < last, "it never came"
        time.sleep(0.02)


def answer(client: TestClient, rows: Any) -> dict[str, Any]:
    sent = client.post("/predict", json={"rows": rows})
    assert sent.status_code == 200, sent.text
    return sent.json()


def test_a_swap_under_load_drops_no_request_and_a_rollback_answers_as_before(
    tmp_path: Path,
) -> None:
    run, other = small_run(tmp_path), small_run(tmp_path, "other", seed=1)
    rows = rows_of(run, 2)
    with serving(run) as client:
        first = answer(client, rows)
        deployment = Deployment.open(client.service.deployment.path)
        number = deployment.add(other, origin="a refresh").number
        found: list[dict[str, Any]] = []
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                found.append(answer(client, rows))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(found) > 4)
        deployment.swap(number, "better")
        until(lambda: bool(found) and found[-1]["version"] == number)
        stop.set()
        for thread in threads:
            thread.join()
        by_version = {v: [f for f in found if f["version"] == v] for v in (1, number)}
        assert all(by_version.values())
        told = {v: {str(r["answer"]) for f in some for r in f["rows"]} for v, some in
                by_version.items()}  # fmt: skip
        assert not told[1] & told[number]
        sent = client.post("/rollback", json={"why": "scrap went up"})
        assert sent.json() == {"version": 1, "problem": None}
        last = answer(client, rows)
        assert [r["answer"] for r in last["rows"]] == [r["answer"] for r in first["rows"]]
        assert deployment.history()[-1].facts["why"] == "scrap went up"
        assert 'modalloy_swaps_total{outcome="done"} 2.0' in client.get("/metrics").text


def test_a_version_that_was_changed_never_answers_and_the_old_one_goes_on(tmp_path: Path) -> None:
    run, other = small_run(tmp_path), small_run(tmp_path, "other", seed=1)
    rows = rows_of(run, 1)
    with serving(run) as client:
        deployment = client.service.deployment
        number = deployment.add(other, origin="a refresh").number
        weights = other / "model.safetensors"
        whole = weights.read_bytes()
        deployment.swap(number, "better")
        weights.write_bytes(whole[:-1] + b"x")
        until(lambda: client.service.current.problem is not None or
              client.service.model.version.number == number)  # fmt: skip
        if client.service.current.problem is not None:  # else it was read before it was changed
            assert answer(client, rows)["version"] == 1
            assert "model.safetensors" in client.get("/model").json()["problem"]


def test_a_service_that_ends_answers_what_waits(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    rows = rows_of(run, 1)
    with serving(run) as client:
        found: list[int] = []
        thread = threading.Thread(
            target=lambda: found.append(client.post("/predict", json={"rows": rows}).status_code)
        )
        thread.start()
        until(lambda: client.service.batcher.worker is not None)
        client.portal.call(client.service.drain)
        thread.join()
        assert found == [200]
        refused = client.post("/predict", json={"rows": rows})
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "2"
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
