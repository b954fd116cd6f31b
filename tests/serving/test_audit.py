"""The audit log: each line holds the hash of the one before, and no cell unless told to."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from modalloy.errors import RunError
from modalloy.serving.audit import Audit, check_audit, files_of
from served import rows_of, serving, small_run


def lines(live: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in files_of(live / "audit")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_line_that_was_changed_or_taken_out_is_found(tmp_path: Path) -> None:
    log = Audit(tmp_path, largest=300)
    for at in range(9):
        log.write({"at": at})
    log.close()
    files = files_of(tmp_path / "audit")
    assert len(files) == 3
    assert check_audit(tmp_path) == 9
    again = Audit(tmp_path)
    again.write({"at": 9})
    again.close()
    assert check_audit(tmp_path) == 10
    whole = files[1].read_text()
    files[1].write_text(whole.replace('"at": 4', '"at": 5'))
    with pytest.raises(RunError, match=r"line \d does not follow the one before it"):
        check_audit(tmp_path)
    files[1].write_text("".join(whole.splitlines(keepends=True)[1:]))
    with pytest.raises(RunError, match="line 1 does not follow"):
        check_audit(tmp_path)
    files[1].write_text(whole)
    files[0].unlink()  # moved away
    assert check_audit(tmp_path) < 10


def test_half_a_line_of_a_killed_process_is_taken_away(tmp_path: Path) -> None:
    log = Audit(tmp_path)
    log.write({"at": 0})
    log.close()
    (path,) = files_of(tmp_path / "audit")
    with open(path, "a") as file:
        file.write('{"at": 1, "bef')
    log = Audit(tmp_path)
    log.write({"at": 2})
    log.close()
    assert [line["at"] for line in lines(tmp_path)] == [0, 2]
    assert check_audit(tmp_path) == 2


class Full:
    """A file on a full disk."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, data: bytes) -> int:
        self.file.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    def truncate(self, size: int) -> None:
        self.file.truncate(size)


def test_on_a_full_disk_nothing_is_answered_and_the_log_stays_whole(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run) as client:
        body = {"rows": rows_of(run, 1)}
        assert client.post("/predict", json=body).status_code == 200
        file, client.service.audit.file = client.service.audit.file, None
        client.service.audit.file = Full(file)
        refused = client.post("/predict", json=body)
        assert refused.status_code == 507
        assert "the disk of the service takes no more" in refused.json()["error"]
        client.service.audit.file = file
        assert client.post("/predict", json=body).status_code == 200
        assert check_audit(client.service.deployment.path) == 2


def test_cells_and_tokens_are_in_no_log_unless_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = small_run(tmp_path)
    rows = rows_of(run, 1)
    rows[0]["note"] = "a secret remark"
    for cells in (False, True):
        with serving(run, audit_cells=cells) as client:
            headers = {"authorization": "Bearer ma_secret"}
            assert client.post("/predict", json={"rows": rows}, headers=headers).is_success
            live = client.service.deployment.path
    before, after = lines(live)
    assert before["rows"] == 1
    assert (before["route"], before["status"], before["version"]) == ("/predict", 200, 1)
    assert "cells" not in before
    assert after["cells"][0]["note"] == "a secret remark"
    assert after["cells"][0]["photo"].keys() == {"bytes", "sha256"}
    assert "secret" not in json.dumps(before) + caplog.text


def test_a_fault_of_ours_is_logged_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path)
    with serving(run) as client:

        def fail(*_: Any) -> None:
            raise ValueError("a secret remark")

        monkeypatch.setattr(client.service.batcher, "answer", fail)
        sent = client.post("/predict", json={"rows": rows_of(run, 1)})
        assert sent.status_code == 500
        assert sent.json()["error"].startswith("the service failed; its log says where, under ")
        assert "ValueError at" in caplog.text
        assert "secret" not in caplog.text + sent.text
        assert client.get("/health").is_success


def test_the_log_refuses_what_is_no_json(tmp_path: Path) -> None:
    log = Audit(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        log.write({"at": float("nan")})
    log.write({"at": 1})
    log.close()
    assert check_audit(tmp_path) == 1
