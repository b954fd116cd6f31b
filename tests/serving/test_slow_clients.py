"""A client that sends or takes too slowly is let go, and others are answered meanwhile."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

from modalloy.deployment.deployment import Deployment
from modalloy.serving.app import build_app
from modalloy.serving.limits import Limits
from modalloy.serving.patience import HEADING, patient_protocol
from modalloy.serving.serve_run import listening
from modalloy.serving.service import Service
from modalloy.serving.tokens import Tokens
from served import small_run

LIMITS = Limits(headers_s=0.5, body_s=0.5, connections=4)
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PATIENCE_S = 30.0  # of a machine with other work


async def large(scope: Any, receive: Any, send: Any) -> None:
    """Answers with more than a client's and a server's buffers hold, `/` with a word."""
    many = 0 if scope["path"] == "/" else 400
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(many):
        await send({"type": "http.response.body", "body": bytes(1 << 18), "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


@contextmanager
def listens(app: Any, limits: Limits, protocol: Any = AutoHTTPProtocol) -> Iterator[Any]:
    listener = listening("127.0.0.1", 0)
    given: dict[str, Any] = {"http": patient_protocol(limits, protocol), "log_level": "critical"}
    given |= {"ws": "none"}
    server = uvicorn.Server(uvicorn.Config(app, **given))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(params=[AutoHTTPProtocol, H11Protocol], ids=["as installed", "h11"])
def place(request: pytest.FixtureRequest) -> Iterator[Any]:
    with listens(large, LIMITS, request.param) as place:
        yield place


def connect(place: Any) -> socket.socket:
    return socket.create_connection(place, timeout=PATIENCE_S)


def until_closed(client: socket.socket, drip: Callable[[], bytes]) -> float:
    """Seconds until the server has closed a connection on which something drips."""
    client.settimeout(0.05)
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        try:
            if more := drip():
                client.sendall(more)
            if client.recv(100) == b"":
                break
        except TimeoutError:
            continue
        except OSError:  # reset
            break
    return time.monotonic() - begun


@pytest.mark.parametrize("drip", [b"", b"X-Slow: loris\r\n"])
def test_a_heading_that_does_not_end(place: Any, drip: bytes) -> None:
    with connect(place) as client:
        client.sendall(GET[:-2] if drip else b"")
        assert 0.3 < until_closed(client, lambda: drip) < PATIENCE_S
    with connect(place) as client:
        client.sendall(GET)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_heading_without_end_is_not_read(place: Any) -> None:
    with connect(place) as client:
        client.sendall(GET[:-2])
        sent = 0

        def more() -> bytes:
            nonlocal sent
            sent += 8192
            return b"X-More: " + b"x" * 8182 + b"\r\n"

        until_closed(client, more)
        assert 8192 < sent < HEADING + 20 * 8192


def test_what_drips_after_an_answer_does_not_hold_the_connection(place: Any) -> None:
    with connect(place) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert client.recv(4000).startswith(b"HTTP/1.1 200")
        assert until_closed(client, lambda: b"x") < PATIENCE_S


def test_a_client_that_waits_between_requests_is_answered(place: Any) -> None:
    with connect(place) as client:
        for _ in range(3):
            client.sendall(GET)
            assert b"done" in all_of(client)
            time.sleep(0.8)  # longer than a heading may take


def all_of(client: socket.socket) -> bytes:
    found = b""
    while not found.endswith((b"0\r\n\r\n", b"done")):
        found += client.recv(4000)
    return found


def test_a_client_that_takes_nothing_is_let_go(place: Any) -> None:
    with connect(place) as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        time.sleep(2.0)
        taken = 0
        try:
            while more := client.recv(1 << 20):
                taken += len(more)
        except ConnectionResetError:
            pass
        assert 0 < taken < 400 << 18


def test_more_connections_than_there_is_room_for(place: Any) -> None:
    held = [connect(place) for _ in range(4)]
    for client in held:
        client.sendall(GET[:-2])
    time.sleep(0.1)
    with connect(place) as client:
        assert until_closed(client, lambda: b"") < PATIENCE_S
    for client in held:
        until_closed(client, lambda: b"")
        client.close()
    with connect(place) as client:
        client.sendall(GET)
        assert b"200" in client.recv(100)


def test_a_slow_body_is_refused_with_a_sentence(tmp_path: Path) -> None:
    deployment = Deployment.of(small_run(tmp_path))
    service = Service(deployment, LIMITS)
    with listens(build_app(service, Tokens(deployment.path)), LIMITS) as place:
        with connect(place) as client:
            client.sendall(
                b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            for _ in range(8):
                time.sleep(0.05)
                client.sendall(b" ")
            answer = client.recv(4000)
        assert answer.startswith(b"HTTP/1.1 408")
        said = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert said == "the body did not arrive within 0.5 s."
