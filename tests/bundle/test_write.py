"""Bundles are written whole or not at all, and the same parts give the same bytes."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bundles import AT, NOTES, bundle, contents, keys, parts, refusal
from modalloy.bundle.archive import Archive
from modalloy.bundle.write import write_bundle
from modalloy.errors import BundleError


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it to tidy up."""


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    private, _ = keys(tmp_path)
    for sign in (None, private):
        for name in ("a.zip", "b.zip"):
            bundle(tmp_path / name, sign=sign)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
        backwards = dict(reversed(parts().items()))
        at = AT.astimezone(timezone(timedelta(hours=2)))
        write_bundle(tmp_path / "b.zip", backwards, NOTES, sign=sign, created=at)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
        for name in ("a", "b"):
            bundle(tmp_path / name, sign=sign)
        assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_bundle_says_when_it_was_made(tmp_path: Path) -> None:
    made = write_bundle(tmp_path / "m.zip", {}, {})
    age = datetime.now(UTC) - datetime.fromisoformat(made.manifest.created)
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_parts_from_files_and_new_folders(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"123")
    for name in ("deep/model.zip", "deep/model"):
        made = write_bundle(tmp_path / name, {"graphs/w.bin": tmp_path / "w.bin"}, {})
        assert made.read("graphs/w.bin") == b"123"
    with pytest.raises(BundleError, match=r"absent.bin: cannot be read .No such file"):
        write_bundle(tmp_path / "m.zip", {"w.bin": tmp_path / "absent.bin"}, {})
    assert not (tmp_path / "m.zip").exists()


def test_a_file_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.bin").write_bytes(b"123")
    real = Path.read_bytes
    seen: list[Path] = []

    def read_bytes(path: Path) -> bytes:
        seen.append(path)
        return real(path) + b"x" * len(seen)

    for name in ("m.zip", "m"):
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        with pytest.raises(BundleError, match=r"the file of 'w.bin' changed while"):
            write_bundle(tmp_path / name, {"w.bin": tmp_path / "w.bin"}, {})
        monkeypatch.undo()
    assert not (tmp_path / "m.zip").exists()
    assert not list(tmp_path.glob("m.zip*"))


def test_what_is_no_bundle_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "loads").mkdir()
    (tmp_path / "loads" / "film.part").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dir.zip" / "sub").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    before = files(tmp_path)
    for name, said in {
        "notes.zip": "not overwritten, because it is no whole bundle .*is no zip file",
        "folder": "not overwritten, because it is no whole bundle .*holds no manifest.json",
        "loads": "not overwritten, because it is no whole bundle .*'film.part' cannot name",
        "run": "not overwritten, because it is no whole bundle .*is a run, no bundle",
        "file": "a file lies here; a bundle is written to a name that ends in .zip, or to a",
        "dir.zip": "a folder lies here; a bundle is written to a name that ends in .zip",
        "file/model": "cannot be looked at|cannot be written",
    }.items():
        with pytest.raises(BundleError, match=said):
            bundle(tmp_path / name)
    assert files(tmp_path) == before
    (tmp_path / "empty" / "too").mkdir(parents=True)
    assert contents(bundle(tmp_path / "empty")) == parts()


def test_a_link_stays_and_leads_to_the_new_bundle(tmp_path: Path) -> None:
    bundle(tmp_path / "model-1.zip")
    (tmp_path / "newest.zip").symlink_to("model-1.zip")
    write_bundle(tmp_path / "newest.zip", {"a.json": b"{}"}, {})
    assert (tmp_path / "newest.zip").is_symlink()
    assert Archive.open(tmp_path / "model-1.zip").names == ("a.json",)


@pytest.mark.parametrize(
    ("given", "notes", "said"),
    [
        ({"../a.json": b""}, {}, "cannot name a part of a bundle"),
        ({"manifest.json": b""}, {}, "the bundle itself writes it"),
        ({"Manifest.SIG": b""}, {}, "the bundle itself writes it"),
        ({"model.pt": b""}, {}, "run code when they are opened"),
        ({"a.json.next": b""}, {}, "cannot name a part of a bundle"),
        ({"a.json": b"", "A.json": b""}, {}, "two members that are called"),
        ({"a": b"", "a/b": b""}, {}, "two members that are called"),
        ({"g.onnx": b"hello"}, {}, "g.onnx: is no ONNX file"),
        ({"w.safetensors": b""}, {}, "w.safetensors: is no safetensors file"),
        ({"g.xml": b"<net/>", "h.xml": b"<!DOCTYPE a>"}, {}, "h.xml: declares entities"),
        ({}, {"x": float("nan")}, "notes cannot be written as JSON"),
        ({}, {"x": b"bytes"}, "notes cannot be written as JSON"),
        ({}, {"x": "y" * (5 << 20)}, "bytes of JSON, and at most 4194304 are read"),
        ({}, {"x": (1, 2), 3: 4}, None),
    ],
)
def test_what_no_bundle_can_hold(
    tmp_path: Path, given: dict[str, bytes], notes: dict[Any, Any], said: str | None
) -> None:
    for name in ("m.zip", "m"):
        if said is None:
            made = write_bundle(tmp_path / name, given, notes)
            assert made.manifest.notes == {"x": [1, 2], "3": 4}
            continue
        with pytest.raises(BundleError, match=said):
            write_bundle(tmp_path / name, given, notes)
        assert not (tmp_path / name).exists()


def test_a_zip_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(tmp_path / "m.zip")
    before = files(tmp_path)
    monkeypatch.setattr("modalloy.bundle.write_zip.MOST", 1000)
    with pytest.raises(BundleError, match=r"larger than a zip file can be .4 GiB.; write a folder"):
        write_bundle(tmp_path / "m.zip", {"a.bin": bytes(900)}, {})
    assert files(tmp_path) == before
    assert write_bundle(tmp_path / "m", {"a.bin": bytes(900)}, {}).read("a.bin") == bytes(900)


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(tmp_path / "m.zip")
    bundle(tmp_path / "m")
    before = files(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for name in ("m.zip", "m"):
        with pytest.raises(
            BundleError, match=r"cannot be written .No space left on device.; an older"
        ):
            write_bundle(tmp_path / name, {"a.json": b"{}"}, {})
    monkeypatch.undo()
    assert {n: data for n, data in files(tmp_path).items() if not n.endswith(".next")} == before
    for name in ("m.zip", "m"):
        assert contents(Archive.open(tmp_path / name)) == parts()


def stopping(patch: pytest.MonkeyPatch, at: int) -> None:
    """Let a process end at its nth rename, sync or removal from now on."""
    seen: list[str] = []

    def before(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if name == "unlink" and str(args[0]).endswith(LOCKS):  # the system lets go of locks
                return real(*args, **more)
            seen.append(name)
            if len(seen) > at:  # and whatever it would do to tidy up
                raise Killed
            return real(*args, **more)

        return call

    patch.setattr(os, "fsync", lambda number: None)  # it takes long, and no power is cut here
    for name in ("replace", "fsync", "unlink", "rmdir"):
        patch.setattr(os, name, before(name, getattr(os, name)))


LOCKS = (".lock", "writing.part")
NEW = {"readers.json": b"[]", "graphs/other.bin": b"12", "graphs/add.bin": bytes(20)}


@pytest.mark.parametrize(
    ("name", "older", "newer"),
    [
        ("m.zip", "none", "plain"),
        ("m.zip", "signed", "other key"),
        ("m", "none", "signed"),
        ("m", "plain", "signed"),
        ("m", "signed", "plain"),
        ("m", "signed", "other key"),
    ],
)
def test_killed_anywhere_the_older_bundle_is_left_or_the_new(
    tmp_path: Path, name: str, older: str, newer: str
) -> None:
    (private, public), (other, trusted) = keys(tmp_path), keys(tmp_path, "other")
    sign = {"plain": None, "signed": private, "other key": other}
    trust = {"plain": None, "signed": public, "other key": trusted}
    (tmp_path / "kept").mkdir()
    if older != "none":
        bundle(tmp_path / "kept" / name, sign=sign[older])
    found, steps, wrote = set(), 0, False
    while not wrote:
        here = tmp_path / f"here-{steps}"
        shutil.copytree(tmp_path / "kept", here)
        path = here / name
        with pytest.MonkeyPatch.context() as patch:
            stopping(patch, steps)
            try:
                write_bundle(path, NEW, {}, sign=sign[newer], created=AT)
                wrote = True
            except Killed:
                if path.is_dir():
                    (path / "writing.part").touch()
        steps += 1
        left = held_by(path, trust.get(older), trust[newer])
        found.add(left)
        assert left == "new" or not wrote
        assert left != "none" or older == "none"
        with pytest.MonkeyPatch.context() as patch:  # another one clears up and goes on
            patch.setattr(os, "fsync", lambda number: None)
            write_bundle(path, NEW, {"again": 1}, sign=sign[older] if older != "none" else None)
        assert contents(Archive.open(path, trust=trust.get(older))) == NEW
        assert [p.name for p in here.iterdir()] == [name]
        if path.is_dir():
            own = {"manifest.json", *(["manifest.sig"] if older == "signed" else [])}
            assert files(path).keys() == NEW.keys() | own
    assert found == {"none" if older == "none" else "old", "new"}


def held_by(path: Path, old: Path | None, new: Path | None) -> str:
    """Which bundle is found, by the key that belongs to it, after a writer was killed."""
    if said := refusal(lambda: Archive.open(path)):
        assert "No such file" in said or "holds no manifest.json" in said
        return "none"
    found = Archive.open(path)
    is_new = contents(found) == NEW
    assert is_new or contents(found) == parts()
    key = new if is_new else old
    assert (found.signed_by is None) is (key is None)
    assert contents(Archive.open(path, trust=key)) == contents(found)
    return "new" if is_new else "old"


def test_two_writers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modalloy.bundle import content

    with content.held(tmp_path / "m.zip.lock"), pytest.raises(BundleError, match="another process"):
        bundle(tmp_path / "m.zip")
    assert contents(bundle(tmp_path / "m.zip")) == parts()
