"""Records of a search: chained, written once, in an order that states may come in."""

import json
from pathlib import Path

import pytest

from modalloy.designing.records import Records
from modalloy.errors import DesignError

ORDER = (
    "plan", "simulate", "ingest", "train", "calibrate", "propose", "verify", "infill", "train",
    "calibrate", "propose", "verify", "accept",
)  # fmt: skip


def written(folder: Path) -> Records:
    records = Records(folder)
    for i, state in enumerate(ORDER):
        records.write(state, {"i": i})
    return records


def test_records_are_read_back_in_their_order(tmp_path: Path) -> None:
    one, again = written(tmp_path), Records(tmp_path)
    assert again.all == one.all
    assert again.last("train").facts == {"i": 8}
    assert [r.number for r in again.of("train")] == [3, 8]
    assert again.next() == ()
    with pytest.raises(AssertionError, match="cannot follow"):
        again.write("plan", {})


def test_a_record_is_not_written_to_again(tmp_path: Path) -> None:
    written(tmp_path)
    assert all(path.stat().st_mode & 0o222 == 0 for path in tmp_path.iterdir())


@pytest.mark.parametrize("harm", ["changed", "gone", "renamed", "torn"])
def test_what_was_tampered_with_is_refused(tmp_path: Path, harm: str) -> None:
    written(tmp_path)
    path = tmp_path / "0004-calibrate.json"
    path.chmod(0o644)
    if harm == "changed":
        told = json.loads(path.read_text())
        path.write_text(json.dumps(told | {"facts": {"i": 5}}))
    elif harm == "gone":
        path.unlink()
    elif harm == "renamed":
        path.rename(tmp_path / "0004-propose.json")
    else:
        path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(DesignError, match=r"does not follow|is no record"):
        Records(tmp_path)


def test_numbers_that_json_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        Records(tmp_path).write("plan", {"x": float("nan")})


def test_records_of_another_version_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "0000-plan.json"
    path.chmod(0o644)
    told = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in told.items() if name != "format"}))
    with pytest.raises(DesignError, match="was written by another version of Modalloy"):
        Records(tmp_path)
