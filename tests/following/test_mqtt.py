"""Messages of a broker are answered once each, and again when they come again."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from modalloy.errors import JobError, RunError, TableError
from modalloy.following.journal import Answered, Journal, Taken
from modalloy.following.mqtt import Broker, cells_of, follow_mqtt, writing_down

paho = pytest.importorskip("paho.mqtt.client")
amqtt = pytest.importorskip("amqtt.broker")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def port() -> Iterator[int]:
    """A broker in a thread of its own."""
    number, ready, loop = free_port(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        broker = amqtt.Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{number}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            }
        )
        await broker.start()
        ready.set()
        await stop.wait()
        await broker.shutdown()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(20)
    yield number
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)


def doubled(rows: Sequence[Taken]) -> list[Answered]:
    if any("load" not in row.cells for row in rows):
        raise TableError("has none of the columns this model reads")
    return [Answered(r.source, r.number, {"twice": 2 * r.cells["load"]}, 3) for r in rows]


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_messages_are_answered_once_each(port: int, tmp_path: Path) -> None:
    came: list[dict[str, Any]] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "plant")
    client.on_message = lambda _client, _data, message: came.append(json.loads(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe("line/3/answers", 1)
    client.loop_start()
    said: list[str] = []
    stop, path = threading.Event(), tmp_path / "mqtt.sqlite"
    broker = Broker.of(f"mqtt://127.0.0.1:{port}/line/3")
    thread = threading.Thread(
        target=follow_mqtt,
        args=(broker, Journal(path), doubled),
        kwargs={"stop": stop, "say": said.append},
    )
    thread.start()
    time.sleep(0.5)
    for message in ('{"number": 7, "load": 2}', "no", '{"note": 1, "number": 8}'):
        client.publish("line/3", message, 1).wait_for_publish(10)
    eventually(lambda: len(came) == 2)
    told = {one["number"]: one for one in came}
    assert told[7] == {"number": 7, "version": 3, "answer": {"twice": 4}}
    assert "none of the columns" in told[8]["error"]
    assert "a message is left out: no JSON" in said[0]
    client.publish("line/3", '{"number": 7, "load": 99}', 1).wait_for_publish(10)  # once more
    eventually(lambda: len(came) == 3)
    assert came[2] == told[7]
    client.publish("line/3", '{"load": 1}', 1).wait_for_publish(10)
    eventually(lambda: len(came) == 4)
    assert came[3]["number"] == 9
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    client.disconnect()
    client.loop_stop()
    assert Journal(path).counts() == {"taken": 3, "answered": 2, "faulty": 1, "published": 3}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://host/topic", "write mqtt://host:1883/topic"),
        ("mqtt://host", "write mqtt://host:1883/topic"),
        ("mqtt://host:port/topic", "Port could not be cast"),
        ("mqtt://me:secret@host/topic", "--mqtt-password"),
    ],
)
def test_addresses_that_are_none(url: str, why: str) -> None:
    with pytest.raises(JobError, match=why) as told:
        Broker.of(url)
    assert "secret" not in str(told.value)


def test_ports_and_users() -> None:
    assert Broker.of("mqtts://me@host/a/b") == Broker("host", 8883, "a/b", True, "me")
    assert Broker.of("mqtt://host:99/a").port == 99


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"[1]", "a JSON object"),
        (b"\xff", "no JSON"),
        (b'{"number": "x"}', "a whole number"),
        (b'{"number": true}', "a whole number"),
        (b'{"number": 1' + b"0" * 30 + b"}", "at most 18 digits"),
        (b"[" * 99_999, "nested too deeply"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b'{"a": "' + b"x" * (9 << 20) + b'"}', "8 MB are read"),
    ],
)
def test_messages_that_are_no_rows(payload: bytes, why: str) -> None:
    with pytest.raises(TableError, match=why):
        cells_of(payload, retained=False)


def test_a_retained_message_needs_a_number() -> None:
    with pytest.raises(TableError, match="at every connection"):
        cells_of(b'{"load": 1}', retained=True)
    assert cells_of(b'{"load": 1, "number": 4}', retained=True) == (4, {"load": 1})


def test_no_broker_is_a_sentence(tmp_path: Path) -> None:
    given = {"stop": threading.Event(), "say": print}
    broker = Broker.of(f"mqtt://127.0.0.1:{free_port()}/t")
    with pytest.raises(RunError, match="no broker answers"):
        follow_mqtt(broker, Journal(tmp_path / "j"), doubled, **given)


class Message(NamedTuple):
    """As the broker's library gives it."""

    payload: bytes
    mid: int
    retain: bool = False
    qos: int = 1


class Impatient(threading.Event):
    """Waits for nothing."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def test_a_message_is_held_on_to_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is acknowledged once it is written down, and the broker's thread lives on."""
    journal, said, done = Journal(tmp_path / "mqtt.sqlite"), [], []
    real, tries = journal.take, []

    def full(*given: Any) -> int:
        tries.append(given)
        if len(tries) < 3:
            raise RunError("database or disk is full")
        return real(*given)

    class Client:
        def ack(self, number: int, quality: int) -> None:
            done.append(number)

    monkeypatch.setattr(journal, "take", full)
    stop = Impatient()
    taken = writing_down("mqtt:x", journal, said.append, stop)
    taken(Client(), None, Message(b'{"number": 3, "load": 1}', 7))
    assert done == [7]
    assert said == ["database or disk is full"]
    assert [t.number for t in journal.waiting(9)] == [3]
    tries.clear()
    stop.set()
    taken(Client(), None, Message(b'{"number": 4, "load": 1}', 8))
    assert done == [7]
