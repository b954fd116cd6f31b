"""What both ends refuse: other machines' control, another certificate, a name that is not there."""

import asyncio
import json
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modalloy.errors import FederationError
from modalloy.federation.flower import children, orders, run_superlink, server_end, site_end
from modalloy.federation.flower.certificates import certificates, make_site_key, reach
from modalloy.federation.flower.in_process import InProcessGrid
from modalloy.federation.flower.superlink import serve_federation
from modalloy.federation.flower.supernode import join_federation


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A TLS server on loopback that shakes hands and hangs up: its address, its certificates."""
    files = certificates(tmp_path / "own", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server, files.key)
    listener = socket.create_server(("127.0.0.1", 0))

    def shake() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()

    thread = threading.Thread(target=shake)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", tmp_path / "own"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_certificate_made_here_is_trusted_by_those_who_have_its_authority(server) -> None:
    address, folder = server
    reach(address, folder / "ca.pem", timeout_s=30)
    assert stat.S_IMODE((folder / "server.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "server.key", "server.pem"]


def test_a_wrong_certificate_is_one_sentence(server, tmp_path: Path) -> None:
    address, _ = server
    other = certificates(tmp_path / "other", "127.0.0.1").ca
    with pytest.raises(FederationError, match=r"ca\.pem does not vouch for the server at .*; ask"):
        join_federation(
            "flower_toys:adder", {}, name="A", address=address, ca=other, folder=tmp_path / "A"
        )


def test_what_is_no_certificate_is_one_sentence(server, tmp_path: Path) -> None:
    address, _ = server
    (tmp_path / "ca.pem").write_text("not one")
    with pytest.raises(FederationError, match=r"ca\.pem: not a certificate in PEM .*; give"):
        reach(address, tmp_path / "ca.pem", timeout_s=30)


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    ca = certificates(tmp_path, "127.0.0.1").ca
    address = f"127.0.0.1:{children.free_port()}"
    with pytest.raises(FederationError, match=r"no server answers at 127\.0\.0\.1:\d+ after 0 s"):
        reach(address, ca, timeout_s=0)


@pytest.mark.parametrize("address", ["plant", "plant:", ":9092", "plant:http", "plant:99999"])
def test_what_is_no_address_is_one_sentence(address: str, tmp_path: Path) -> None:
    with pytest.raises(FederationError, match=r"is no address; write HOST:PORT"):
        serve_federation(
            "flower_toys:summing",
            {},
            address=address,
            folder=tmp_path,
            certificates_folder=tmp_path,
            sites=1,
        )


def test_some_of_the_certificates_are_one_sentence(tmp_path: Path) -> None:
    certificates(tmp_path, "localhost")
    (tmp_path / "server.key").unlink()
    with pytest.raises(FederationError, match=r"server\.key missing; a server needs"):
        certificates(tmp_path, "localhost")


def test_a_sites_key_is_made_once(tmp_path: Path) -> None:
    public = make_site_key(tmp_path / "site.key")
    before = public.read_text()
    assert before.startswith("ecdsa-sha2-nistp384 ")
    assert make_site_key(tmp_path / "site.key").read_text() == before
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("path", "client", "status"),
    [
        ("/v1/fleet/pull-messages", "10.0.0.7", None),
        ("/v1/control/start-run", "10.0.0.7", 403),
        ("/v1/runtime/acquire-task", "10.0.0.7", 403),
        ("/v1/fleet/../control/start-run", "10.0.0.7", None),  # Flower knows no such path
        ("/v1/control/start-run", "127.0.0.1", None),
        ("/v1/control/start-run", "10.0.0.1", None),  # the server's own address
        ("/v1/control/start-run", "", 403),
        ("/docs", "10.0.0.7", 403),
        (run_superlink.GUARDED, "10.0.0.7", 200),
    ],
)
def test_other_machines_reach_what_sites_need_and_no_more(
    path: str, client: str, status: int | None
) -> None:
    passed, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": path,
        "client": (client, 5) if client else None,
        "server": ("10.0.0.1", 9092),
    }
    asyncio.run(run_superlink.Guard(app)(scope, None, send))
    assert passed == ([path] if status is None else [])
    assert [each["status"] for each in sent[:1]] == ([] if status is None else [status])


def test_a_site_runs_none_of_flowers_programs_but_its_own_answers(tmp_path: Path) -> None:
    site_end.write_commands(tmp_path, lambda name: f"echo {name}")
    there = {path.name for path in tmp_path.iterdir()}
    assert {"flwr-clientapp", "flwr-serverapp", "flwr-agentapp"} <= there
    assert all(path.stat().st_mode & stat.S_IXUSR for path in tmp_path.iterdir())


def test_an_error_at_a_site_leaves_it_by_its_kind_alone() -> None:
    said = site_end.describe(ValueError("row 3 holds 'J. Smith'"))
    assert said == "ValueError; the site's own log says more"


def test_what_cannot_be_imported_is_one_sentence() -> None:
    with pytest.raises(FederationError, match=r"flower_toys:spool: nothing of that name"):
        orders.load("flower_toys:spool")


def test_a_server_that_fails_ends_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"run": "1", "pid": 1, "server": "flower_toys:failing", "arguments": {}}
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(facts | {"sites": 0, "timeout_s": 1}))
    monkeypatch.setenv(orders.ORDERS, str(path))
    monkeypatch.setattr(server_end, "die_with_parent", lambda pid: None)
    server_end.run(InProcessGrid({}))
    told = json.loads((tmp_path / "ended-1.json").read_text())
    assert told == {"failed": "site A and B measure load in kN and N."}
