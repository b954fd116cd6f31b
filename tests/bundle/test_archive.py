"""Bundles open as they were written; what is not as its manifest says is refused in a sentence."""

import hashlib
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

from bundles import NOTES, bundle, contents, members, parts, zipped
from modalloy.bundle.archive import Archive
from modalloy.bundle.manifest import Manifest
from modalloy.errors import BundleError


@pytest.mark.parametrize("name", ["model.zip", "model"])
def test_parts_and_notes_come_back(tmp_path: Path, name: str) -> None:
    made = bundle(tmp_path / name)
    found = Archive.open(str(tmp_path / name))
    assert found == made
    assert contents(found) == parts()
    assert found.names == tuple(sorted(parts()))
    assert found.manifest.notes == NOTES
    assert found.manifest.created == "2026-11-30T12:00:00+00:00"
    assert found.read_json("readers.json") == {"load": {"mean": 1.5, "names": ["a", "b"]}}
    assert (found.signed_by, found.trusted) == (None, False)
    assert contents(pickle.loads(pickle.dumps(found))) == parts()


def test_a_folder_zipped_by_hand_is_the_same_bundle(tmp_path: Path) -> None:
    made = bundle(tmp_path / "model")
    by_hand = tmp_path / "by-hand.zip"
    with zipfile.ZipFile(by_hand, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted((tmp_path / "model").rglob("*")):
            file.write(path, path.relative_to(tmp_path / "model"))  # folders too
    assert "graphs/" in members(by_hand)
    found = Archive.open(by_hand)
    assert contents(found) == parts()
    assert found.manifest.identity == made.manifest.identity
    written = (tmp_path / "model" / "manifest.json").read_bytes()
    assert found.manifest.identity == hashlib.sha256(written).hexdigest()


def test_a_zip_written_to_a_pipe_has_its_sizes_behind_the_data(tmp_path: Path) -> None:
    bundle(tmp_path / "model.zip")
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members(tmp_path / "model.zip").items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    assert b"PK\x07\x08" in data
    (tmp_path / "piped.zip").write_bytes(data)
    assert contents(Archive.open(tmp_path / "piped.zip")) == parts()


def test_at_most_bounds_what_is_read(tmp_path: Path) -> None:
    found = bundle(tmp_path / "model.zip")
    assert found.read("graphs/add.bin", at_most=20) == bytes(range(20))
    with pytest.raises(BundleError, match=r"'graphs/add.bin' has 20 bytes, and at most 19"):
        found.read("graphs/add.bin", at_most=19)
    with pytest.raises(BundleError, match=r"holds no part 'graphs/sub.onnx'"):
        found.read("graphs/sub.onnx")
    with pytest.raises(BundleError, match=r"manifest.json"):
        found.read("manifest.json")


def altered(kind: str, path: Path, change: dict[str, bytes | None]) -> Path:
    """A bundle, zip or folder, in which members are other bytes than before, or gone."""
    bundle(path / "whole.zip")
    files = members(path / "whole.zip") | change
    kept = {name: data for name, data in files.items() if data is not None}
    if kind == "zip":
        (path / "model.zip").write_bytes(zipped(kept))
        return path / "model.zip"
    for name, data in kept.items():
        (path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "model" / name).write_bytes(data)
    return path / "model"


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra.json": b"{}"}, "'extra.json' is not in its manifest.json"),
        ({"readers.json": None}, "'readers.json' is missing"),
        ({"readers.json": b"{}"}, "'readers.json' has 2 bytes instead of 44"),
        ({"manifest.json": None}, "holds no manifest.json, so it is no bundle"),
        ({"manifest.json": b"[" * 1000}, "more than 32 deep"),
        ({"manifest.json": b"{"}, "cannot be read as JSON"),
        ({"manifest.json": b" " * (5 << 20)}, "has 5242880 bytes; at most 4194304"),
        ({"manifest.sig": b"x" * 64}, "holds a signature, but its manifest.json none"),
        ({"readers.JSON": b"{}"}, "two members that are called|is not in its manifest"),
    ],
)
def test_members_are_those_of_the_manifest(
    tmp_path: Path, kind: str, change: dict[str, bytes | None], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        Archive.open(altered(kind, tmp_path, change))


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_swapped_part_is_refused_when_it_is_read(tmp_path: Path, kind: str) -> None:
    other = parts()["readers.json"].replace(b"1.5", b"2.5")
    found = Archive.open(altered(kind, tmp_path, {"readers.json": other}))
    with pytest.raises(BundleError, match=r"'readers.json' is not the file that was exported"):
        found.read("readers.json")
    assert found.read("pieces.txt") == parts()["pieces.txt"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("graphs/add.onnx", b"\x0a\x00", "holds 0 graphs"),
        ("graphs/add.xml", b"<!DOCTYPE a><net/>", "declares entities"),
        ("weights.safetensors", b"\xff" * 16, "cut off in its header"),
    ],
)
def test_what_is_listed_but_unsafe_to_parse_is_never_handed_out(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    """Somebody who can write the manifest anew gets no further."""
    bundle(tmp_path / "whole.zip")
    files = members(tmp_path / "whole.zip") | {name: data}
    told = Manifest.from_json(files["manifest.json"])
    told = Manifest(
        {**told.sha256, name: hashlib.sha256(data).hexdigest()},
        {**told.sizes, name: len(data)},
        told.created,
    )
    (tmp_path / "model.zip").write_bytes(zipped(files | {"manifest.json": told.to_json()}))
    found = Archive.open(tmp_path / "model.zip")
    with pytest.raises(BundleError, match=said):
        found.read(name)


def test_an_exchanged_zip_is_noticed(tmp_path: Path) -> None:
    found = bundle(tmp_path / "model.zip")
    shutil.copy(tmp_path / "model.zip", tmp_path / "other.zip")
    os.replace(tmp_path / "other.zip", tmp_path / "model.zip")
    with pytest.raises(BundleError, match="has changed since it was opened"):
        found.read("readers.json")
    (tmp_path / "model.zip").unlink()
    with pytest.raises(BundleError, match="No such file"):
        found.read("readers.json")


def test_what_is_no_bundle_at_all(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "text.zip").write_text("hello")
    os.mkfifo(tmp_path / "pipe.zip")
    for name, said in {
        "absent.zip": "No such file",
        "run": "is a run, no bundle; `modalloy export`",
        "text.zip": "is no zip file",
        "pipe.zip": "neither a file nor a folder",
        "text.zip/model": "Not a directory",
        "n" * 300: "File name too long",
        "a\0b.zip": "cannot be the name of a file",
    }.items():
        with pytest.raises(BundleError, match=said):
            Archive.open(tmp_path / name)


def test_a_newer_bundle_asks_for_a_newer_modalloy(tmp_path: Path) -> None:
    bundle(tmp_path / "whole.zip")
    told = json.loads(members(tmp_path / "whole.zip")["manifest.json"])
    newer = json.dumps({**told, "format": 2, "modalloy": "9.1", "more": []}).encode()
    with pytest.raises(BundleError, match=r"made by a newer modalloy \(9.1, format 2\).*upgrade"):
        Archive.open(altered("zip", tmp_path, {"manifest.json": newer}))
