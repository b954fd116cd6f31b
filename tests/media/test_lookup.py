import os
import unicodedata
from pathlib import Path

import pytest

from modalloy.errors import TableError
from modalloy.media.lookup import find, hint
from modalloy.media.media import locate


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Fotos/teil 1.png", "Fotos/teil 1.png "),
        ("Fotos/teil 1.png", " \ufeffFotos/teil 1.png\u200b\n"),
        ("Fotos/teil 1.png", '"Fotos/teil 1.png"'),
        ("Fotos/teil 1.png", "'Fotos/teil 1.png' "),
        ("Fotos/teil 1.png", r"Fotos\teil 1.png"),
        ("Fotos/teil 1.png", r".\Fotos\teil 1.png"),
        ("Fotos/teil 1.png", "Fotos/teil%201.png"),
        ("Fotos/teil%201.png", "Fotos/teil 1.png"),
        ("Fotos/teil 1.png", "Fotos/teil\u00a01.png"),
        ("Fotos/teil\u202f1.png", "Fotos/teil 1.png"),
        ("Fotos/teil 1.png", "fotos/Teil 1.PNG"),
        ("FOTOS/TEIL 1.PNG", "fotos/teil 1.png"),
        ("Schweißnaht/1.png", "SCHWEISSNAHT/1.png"),
        ("a/Teil #1.png", "a/Teil #1.png "),
        ("a/Teil #1?.png", r"a\Teil #1?.png"),
        ("a/100%.png", "a/100%.PNG"),
        (unicodedata.normalize("NFD", "prüfung/é.png"), "prüfung/é.png"),
        ("prüfung/é.png", unicodedata.normalize("NFD", "prüfung/é.png")),
        (unicodedata.normalize("NFD", "Prüfung/ä.png"), r"prüfung\Ä.PNG"),
    ],
)
def test_a_path_that_is_spelled_otherwise_finds_its_file(
    tmp_path: Path, name: str, cell: str
) -> None:
    touch(tmp_path, name, "other/1.png")
    found = locate(cell, tmp_path, False)
    assert found.path == (tmp_path / name).resolve()
    assert found.way == "spelled"


@pytest.mark.parametrize(
    "cell",
    [
        r"C:\Users\me\set\img\1.png",
        "D:/set/img/1.png",
        r"\\server\share\img\1.png",
        "/home/nobody/that/is/here/img/1.png",
        "file:///C:/set/img/1.png",
        "file:///nobody/img/1.png",
        r"C:\Users\me\img\IMG\1.PNG ",
        "table/img/1.png",
        r"Table\img\1.png",
    ],
)
def test_a_path_of_another_place_finds_its_end(tmp_path: Path, cell: str) -> None:
    folder = tmp_path / "table"
    touch(folder, "img/1.png")
    found = locate(cell, folder, False)
    assert found.path == (folder / "img/1.png").resolve()
    assert found.way == "moved"


def test_a_name_alone_is_found_only_behind_the_folders_own_name(tmp_path: Path) -> None:
    folder = tmp_path / "pics"
    touch(folder, "1.png")
    assert locate(r"C:\set\pics\1.png", folder, False).way == "moved"
    for cell in (r"C:\set\others\1.png", "others/1.png", "pic/1.png", "/nobody/1.png"):
        with pytest.raises(TableError):
            locate(cell, folder, False)


def test_the_file_as_it_is_written_comes_first(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "A.png", "a.png ", "b%20c.png", "b c.png", "d\\e.png", "d/e.png")
    for name in ("a.png", "A.png", "a.png ", "b%20c.png", "b c.png", "d\\e.png", "d/e.png"):
        found = locate(name, tmp_path, False)
        assert found == (tmp_path.resolve() / name, "written")
    assert locate(" a.png", tmp_path, False).path.name == "a.png"


def test_two_files_that_fit_alike_are_named_and_not_chosen_from(tmp_path: Path) -> None:
    touch(tmp_path, "Teil.png", "TEIL.png")
    with pytest.raises(TableError, match=r"fits TEIL.png and Teil.png in .* alike: write one"):
        locate("teil.PNG", tmp_path, False)


def test_the_guard_holds_for_whatever_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "table"
    touch(folder, "img/1.png")
    touch(tmp_path, "x.png", "other/img/1.png")
    (folder / "Link.png").symlink_to(tmp_path / "x.png")
    for cell in ("link.PNG", r"..\x.png", "../x.png ", str(tmp_path / "x.png")):
        with pytest.raises(TableError):
            locate(cell, folder, False)
    # An absolute path that is a file here means that file, never another with the same end.
    with pytest.raises(TableError, match="absolute"):
        locate(str(tmp_path / "other/img/1.png"), folder, False)
    assert locate("link.PNG", folder, True).path == (tmp_path / "x.png").resolve()
    other = str(tmp_path / "OTHER" / "img" / "1.PNG")
    assert locate(other, folder, True).path == (tmp_path / "other/img/1.png").resolve()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("img/1.jpg", "no file img/1.jpg in .*; there is 1.png"),
        ("imgs/1.png", "; there is no folder imgs"),
        ("https://a.b/img/1.png", "it is an address: download the file"),
        (r"C:\other\2.png", "begins on another machine: write it relative"),
        ("img/7.png", r"no file img/7.png in [^;]*$"),
    ],
)
def test_what_is_not_found_says_what_would_mend_it(tmp_path: Path, cell: str, words: str) -> None:
    touch(tmp_path, "img/1.png")
    with pytest.raises(TableError, match=words):
        locate(cell, tmp_path, False)


def test_files_that_come_later_are_found(tmp_path: Path) -> None:
    touch(tmp_path, "img/1.png")
    assert find("IMG/2.png", tmp_path) is None
    touch(tmp_path, "img/2.png")
    os.utime(tmp_path / "img", (1e9, 1e9))
    found = find("IMG/2.png", tmp_path)
    assert found is not None
    assert found.path.name == "2.png"
    assert hint("img/2.jpg", tmp_path) == "; there is 2.png"
