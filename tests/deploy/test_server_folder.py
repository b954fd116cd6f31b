"""A server's folder is replaced with its bundle: all of it or nothing, whenever something fails."""

import os
from pathlib import Path
from typing import Any

import pytest

from modalloy.deploy import server_folder
from modalloy.deploy.server_folder import folder_beside, refuse_folder, server_beside, settle
from modalloy.errors import BundleError, RunError
from modalloy.machine.files import locked


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the next folder holds, in place of graphs."""
    told = {"graphs.json": "one"}

    def write(folder: Path, *_: Any) -> None:
        folder.mkdir()
        for name, text in told.items():
            if text == "fails":
                raise OSError(28, "No space left on device")
            (folder / name).write_text(text)

    monkeypatch.setattr(server_folder, "write_server", write)
    return told


def beside(folder: Path) -> Any:
    return server_beside(folder, "triton", {}, {})


def held(folder: Path) -> dict[str, str]:
    """What lies beside the bundle, by name."""
    return {
        str(p.relative_to(folder.parent)): p.read_text()
        for p in folder.parent.rglob("*")
        if p.is_file()
    }


def test_it_lies_beside_its_bundle(tmp_path: Path) -> None:
    assert folder_beside(tmp_path / "model.zip", "triton") == tmp_path / "model-triton"


def test_only_what_an_export_wrote_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "model-triton"
    refuse_folder(folder)
    folder.mkdir()
    with pytest.raises(BundleError, match="model-triton: is there already; remove it"):
        refuse_folder(folder)
    for name in ("graphs.json", "graph_0/config.pbtxt", "graph_0/1/model.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    refuse_folder(folder)
    (folder / "graph_0" / "1" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"because 'graph_0/1/notes\.txt' in it is not of an"):
        refuse_folder(folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(BundleError, match="link: is there already"):
        refuse_folder(tmp_path / "link")


def test_the_folder_is_there_while_the_bundle_is_written(
    writing: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "model-triton"
    for text in ("one", "two"):
        writing["graphs.json"] = text
        with beside(folder):
            assert (folder / "graphs.json").read_text() == text
        assert held(folder) == {"model-triton/graphs.json": text}


@pytest.mark.parametrize("older", [True, False])
def test_where_either_fails_both_are_as_before(
    writing: dict[str, str], tmp_path: Path, *, older: bool
) -> None:
    folder = tmp_path / "model-triton"
    if older:
        with beside(folder):
            pass
    before = held(folder)
    writing |= {"graphs.json": "two", "config.json": "fails"}
    with pytest.raises(BundleError, match="No space left on device"), beside(folder):
        raise AssertionError("a bundle is written beside no folder")
    assert held(folder) == before
    writing["config.json"] = "three"
    with pytest.raises(BundleError, match="no bundle"), beside(folder):
        raise BundleError("no bundle")
    assert held(folder) == before


def test_what_a_killed_writer_left_is_put_right(writing: dict[str, str], tmp_path: Path) -> None:
    folder, new, old = (tmp_path / n for n in ("m", "m.new.part", "m.old.part"))
    for place in (new, old):
        place.mkdir()
        (place / "graphs.json").write_text(place.name)
    settle(folder, new, old)  # killed between the two renames
    assert held(folder) == {"m/graphs.json": "m.old.part"}
    os.rename(folder, old)
    with beside(folder):
        assert (folder / "graphs.json").read_text() == "one"
    assert held(folder) == {"m/graphs.json": "one"}
    busy = pytest.raises(RunError, match="another export")
    with locked(tmp_path / "m.lock", ""), busy, beside(folder):
        raise AssertionError("two write at once")
