"""A SuperLink and two SuperNodes over TLS: a sum in rounds goes on when a site is killed in one."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modalloy.federation.flower.certificates import certificates
from modalloy.federation.flower.children import free_port
from modalloy.federation.flower.superlink import serve_federation
from modalloy.federation.flower.supernode import join_federation

PATIENCE_S = 240.0
SITE = """\
import sys
from pathlib import Path

from modalloy.federation.flower.supernode import join_federation

name, number, address, folder = sys.argv[1:]
join_federation(
    "flower_toys:adder",
    {"number": number, "folder": folder},
    name=name,
    address=address,
    ca=Path(folder).parent / "certificates" / "ca.pem",
    folder=Path(folder),
)
"""


def until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.05)


@pytest.mark.timeout(900)
def test_a_federation_goes_on_without_the_site_that_was_killed(tmp_path: Path) -> None:
    address, own = f"127.0.0.1:{free_port()}", tmp_path / "certificates"
    certificates(own, "127.0.0.1")
    a, b = tmp_path / "A", tmp_path / "B"
    a.mkdir()
    b.mkdir()
    (b / "hold-1").touch()  # B's second answer
    failed: list[BaseException] = []

    def site() -> None:
        try:
            join_federation(
                "flower_toys:adder",
                {"number": "1", "folder": str(a)},
                name="A",
                address=address,
                ca=own / "ca.pem",
                folder=a,
            )
        except BaseException as error:
            failed.append(error)

    def kill() -> None:
        until((b / "asked-1").exists, "B's second message")
        killed.kill()
        os.killpg(os.getpgid(int((b / "asked-1").read_text())), signal.SIGKILL)

    paths = os.pathsep.join(path for path in sys.path if path)
    killed = subprocess.Popen(
        [sys.executable, "-c", SITE, "B", "2", address, str(b)],
        env=os.environ | {"PYTHONPATH": paths},
    )
    threads = [threading.Thread(target=site), threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    serve_federation(
        "flower_toys:summing",
        {"rounds": "3", "out": str(tmp_path / "out.json")},
        address=address,
        folder=tmp_path / "server",
        certificates_folder=own,
        sites=2,
        timeout_s=PATIENCE_S,
    )
    for thread in threads:
        thread.join(PATIENCE_S)
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["totals"] == [3, 4, 5]
    assert list(told["absent"][1]) == ["B"]
    assert (a / "count").read_text() == "3"  # kept from one process to the next
    assert failed == []
    assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    # What the server sent to run was not unpacked at the site.
    assert (tmp_path / "server" / "flower" / "apps").exists()
    assert not (a / "flower" / "apps").exists()
