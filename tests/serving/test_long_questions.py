"""A question that takes long holds up neither answers nor a new version nor a rollback."""

import asyncio
import threading
import time
from pathlib import Path

from modalloy.serving.limits import Limits
from modalloy.serving.service import Service
from served import rows_of, serving, small_run


def test_a_version_is_loaded_while_a_question_runs(tmp_path: Path) -> None:
    run, other = small_run(tmp_path), small_run(tmp_path, "other", seed=1)
    rows = rows_of(run, 1)
    with serving(run) as client:
        go_on = threading.Event()
        client.portal.call(start, client.service, go_on)
        deployment = client.service.deployment
        number = deployment.add(other, origin="a refresh").number
        deployment.swap(number, "better")
        last = time.monotonic() + 60
        while client.get("/model").json()["version"] != number:
            assert time.monotonic() < last, "the question holds it up"
            time.sleep(0.05)
        assert client.post("/predict", json={"rows": rows}).json()["version"] == number
        assert client.post("/rollback", json={"why": "a test"}).json()["version"] == 1
        assert client.service.long == 1
        go_on.set()


async def start(service: Service, go_on: threading.Event) -> None:
    """Ask something that takes until the event, and leave."""
    question = asyncio.create_task(service.think(go_on.wait))
    await asyncio.sleep(0)
    question.cancel()


def test_the_deadline_is_of_the_whole_request(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run, limits=Limits(deadline_s=0.4)) as client:
        service = client.service
        served, keep = service.batcher.answer, service.keeper.answer
        service.batcher.answer = lambda *given: (time.sleep(0.3), served(*given))[1]
        service.keeper.answer = lambda *given: (time.sleep(0.3), keep(*given))[1]
        sent = client.post("/predict", json={"rows": rows_of(run, 1)})
        assert sent.status_code == 504
        assert "ask again" in sent.json()["error"]
