"""Nothing outside the folder of a bundle is read, and nothing in it that is no plain file."""

import os
import socket
from pathlib import Path

import pytest

from bundles import bundle, contents, parts
from modalloy.bundle.archive import Archive
from modalloy.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle(tmp_path / "model")
    (tmp_path / "outside.json").write_bytes(parts()["readers.json"])
    return tmp_path / "model"


def refused(folder: Path, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        Archive.open(folder)


def test_a_link_to_a_file(folder: Path) -> None:
    (folder / "readers.json").unlink()
    (folder / "readers.json").symlink_to("../outside.json")
    refused(folder, "'readers.json' is a link; a bundle holds plain files")


def test_a_link_to_a_folder(folder: Path) -> None:
    os.rename(folder / "graphs", folder.parent / "graphs")
    (folder / "graphs").symlink_to("../graphs")
    refused(folder, "'graphs' is a link")


def test_a_link_beside_the_parts_or_in_waiting(folder: Path) -> None:
    (folder / "graphs" / "more.next").symlink_to("/etc/passwd")
    refused(folder, "'graphs/more.next' is a link")


def test_a_hard_link(folder: Path) -> None:
    os.link(folder / "readers.json", folder.parent / "copy.json")
    refused(folder, r"'readers.json' lies in another place too \(a hard link\)")


def test_special_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "readers.json").unlink()
    os.mkfifo(folder / "readers.json")
    refused(folder, "'readers.json' is no plain file")
    (folder / "readers.json").unlink()
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("readers.json")
        refused(folder, "'readers.json' is no plain file")


@pytest.mark.parametrize("name", ["a b.json", "é.json", ".git/config", "nul", "line\nbreak"])
def test_names(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("{}")
    refused(folder, "cannot name a part of a bundle")


def test_empty_folders_and_a_link_to_the_whole_are_fine(folder: Path) -> None:
    (folder / "left" / "empty").mkdir(parents=True)
    (folder.parent / "newest").symlink_to("model")
    assert contents(Archive.open(folder.parent / "newest")) == parts()


def test_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.bundle.folder_store.MOST", 1)
    refused(folder, "more than 1 files")


@pytest.mark.parametrize("swap", ["file", "folder", "hard", "pipe", "longer", "gone"])
def test_what_is_moved_between_opening_and_reading(folder: Path, swap: str) -> None:
    """The bytes outside are the right ones, so that only the way to them can be refused."""
    found = Archive.open(folder)
    name, outside = "graphs/add.bin", folder.parent / "add.bin"
    outside.write_bytes(parts()[name])
    place = folder / name
    match swap:
        case "file":
            place.unlink()
            place.symlink_to(outside)
        case "folder":
            os.rename(folder / "graphs", folder.parent / "graphs")
            (folder / "graphs").symlink_to("../graphs")
        case "hard":
            place.unlink()
            os.link(outside, place)
        case "pipe":
            place.unlink()
            os.mkfifo(place)
        case "longer":
            place.write_bytes(parts()[name] + b"x" * 1000)
        case "gone":
            place.unlink()
    said = {
        "file": "has become a link",
        "folder": "has become a link",
        "hard": "a hard link",
        "pipe": "is no plain file",
        "longer": "is not the file that was exported",
        "gone": "No such file",
    }
    with pytest.raises(BundleError, match=said[swap]):
        found.read(name)
    assert found.read("readers.json") == parts()["readers.json"]
