"""Zip files that unzippers could read in two ways, or that grow beyond measure, are refused."""

import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from bundles import bundle, members, patched, zipped
from modalloy.bundle.archive import Archive
from modalloy.bundle.names import MOST
from modalloy.bundle.zip_store import ZipStore
from modalloy.errors import BundleError

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def opened(path: Path, data: bytes) -> ZipStore:
    """The store of a file of these bytes."""
    (path / "x.zip").write_bytes(data)
    return ZipStore.open(path / "x.zip")


def refused(path: Path, data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        opened(path, data)
    assert str(caught.value).startswith(str(path / "x.zip"))


def test_pythons_own_zip_files_are_read(tmp_path: Path) -> None:
    files = {"a.json": b"{}", "b/c.bin": bytes(5000)}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        store = opened(tmp_path, zipped(files, method=method))
        assert {name: store.read(name) for name in store.sizes} == files


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../up.json", "a/../../up.json", "a\\b.json", "C:/x.json", "c:x", "a//b",
        "./a", "a/./b", ".hidden", "a b", "é.json", "con.json", "a/nul", "trailing.", "a./b",
        "x.json.next", "x.part", "n" * 201, "a\n", "~/x", "$HOME", "-rf",
    ],
)  # fmt: skip
def test_names_that_leave_the_bundle_or_that_no_part_has(tmp_path: Path, name: str) -> None:
    refused(tmp_path, zipped({"ok.json": b"{}", name: b""}), "cannot name a part of a bundle")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("one", "two"), [("a.json", "a.json"), ("a.json", "A.JSON")])
def test_two_members_of_one_name(tmp_path: Path, one: str, two: str) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as file:
        file.writestr(one, b"1")
        file.writestr(two, b"2")
    refused(tmp_path, (tmp_path / "two.zip").read_bytes(), "two members that are called")


@pytest.mark.parametrize("names", [("a", "a/b"), ("A", "a/b"), ("a/b", "a/b/c")])
def test_a_file_where_a_folder_is(tmp_path: Path, names: tuple[str, str]) -> None:
    refused(tmp_path, zipped(dict.fromkeys(names, b"1")), "two members that are called")


def with_mode(mode: int, name: str = "a.json") -> bytes:
    """A zip whose one member has this mode of Unix."""
    return patched(zipped({name: b""}), CENTRAL, 0, 38, "<I", mode << 16)


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_special_files(tmp_path: Path, kind: int) -> None:
    refused(tmp_path, with_mode(kind | 0o644), "'a.json' is no plain file")


def test_links(tmp_path: Path) -> None:
    refused(tmp_path, with_mode(stat.S_IFLNK | 0o777), "'a.json' is a link")
    dos = patched(with_mode(stat.S_IFLNK | 0o777), CENTRAL, 0, 5, "<B", 0)
    refused(tmp_path, dos, "'a.json' is a link")
    refused(tmp_path, with_mode(stat.S_IFDIR | 0o755), "'a.json' is no plain file")
    refused(tmp_path, with_mode(stat.S_IFREG | 0o755, "a/"), "'a/' is no plain file")
    assert opened(tmp_path, with_mode(stat.S_IFDIR | 0o755, "a/")).sizes == {}
    assert opened(tmp_path, with_mode(stat.S_IFREG | 0o600)).sizes == {"a.json": 0}


@pytest.mark.parametrize(
    "extra",
    [
        struct.pack("<2H", 0x000D, 16) + bytes(12) + b"/etc",  # Unix: the name that a link has
        struct.pack("<2HIH", 0x756E, 18, 0, 0o120777) + bytes(12),  # ASi Unix
        struct.pack("<2HQ", 0x0001, 8, 1 << 40),  # zip64
        struct.pack("<2HBI", 0x7075, 5, 1, 0),  # another name
        struct.pack("<2H", 0x5455, 9) + b"\1\0",  # cut off
        b"\0",
        struct.pack("<2H", 0x5455, 1000) + bytes(1000),
    ],
)
def test_extra_fields_that_make_another_member(tmp_path: Path, extra: bytes) -> None:
    info = zipfile.ZipInfo("a.json")
    info.extra = extra
    with zipfile.ZipFile(tmp_path / "extra.zip", "w") as file:
        file.writestr(info, b"{}")
    refused(tmp_path, (tmp_path / "extra.zip").read_bytes(), "'a.json' has an extra field")


def test_extra_fields_of_times_and_owners(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.json")
    info.extra = struct.pack("<2HBI", 0x5455, 5, 1, 0) + struct.pack("<2H", 0x7875, 3) + b"\1\0\0"
    with zipfile.ZipFile(tmp_path / "extra.zip", "w") as file:
        file.writestr(info, b"{}")
    assert opened(tmp_path, (tmp_path / "extra.zip").read_bytes()).read("a.json") == b"{}"


@pytest.mark.parametrize(
    ("sign", "offset", "form", "value", "said"),
    [
        (CENTRAL, 8, "<H", 0x1, "'a.json' is encrypted"),
        (CENTRAL, 8, "<H", 0x40, "'a.json' is encrypted"),
        (CENTRAL, 8, "<H", 0x2000, "'a.json' is encrypted"),
        (CENTRAL, 8, "<H", 0x20, r"packed in a way that is not read here \(method 0, flags 0x20\)"),
        (CENTRAL, 10, "<H", 12, r"packed in a way that is not read here \(method 12"),
        (CENTRAL, 10, "<H", 14, r"packed in a way that is not read here \(method 14"),
        (CENTRAL, 20, "<I", 9, "says two sizes, 9 and 20 bytes"),
        (CENTRAL, 32, "<H", 1, "list of members is damaged"),
        (CENTRAL, 34, "<H", 1, "list of members is damaged"),
        (CENTRAL, 28, "<H", 60, "list of members is damaged"),
        (CENTRAL, 0, "<H", 0, "list of members is damaged"),
        (CENTRAL, 42, "<I", 1, "does not begin where the member before it ends"),
        (CENTRAL, 16, "<I", 1, "header of 'a.json' says other things"),
        (CENTRAL, 10, "<H", 8, "header of 'a.json' says other things"),
        (CENTRAL, 8, "<H", 8, "header of 'a.json' says other things"),
        (LOCAL, 6, "<H", 1, "header of 'a.json' says other things"),
        (LOCAL, 8, "<H", 8, "header of 'a.json' says other things"),
        (LOCAL, 14, "<I", 1, "header of 'a.json' says other things"),
        (LOCAL, 18, "<I", 21, "header of 'a.json' says other things"),
        (LOCAL, 22, "<I", 21, "header of 'a.json' says other things"),
        (LOCAL, 26, "<H", 5, "header of 'a.json' says other things"),
        (LOCAL, 30, "<B", ord("b"), "header of 'a.json' says other things"),
        (LOCAL, 0, "<H", 0, "is no zip file"),
        (LOCAL, 28, "<H", 20, "has an extra field"),
        (END, 4, "<H", 1, "cut off or was added"),
        (END, 8, "<H", 3, "cut off or was added"),
        (END, 16, "<I", 0, "cut off or was added"),
        (END, 20, "<H", 1, "cut off or was added"),
        (END, 10, "<H", 0xFFFF, "zip64; write so large a bundle as a folder"),
        (END, 8, "<I", 0, "list of members is damaged"),
        (END, 8, "<I", 0x30003, "list of members is damaged"),
        (END, 8, "<I", 0xFFF0FFF0, "holds 65520 members; no bundle has more than 4096"),
    ],
)
def test_each_number_of_a_record_is_looked_at(
    tmp_path: Path, sign: bytes, offset: int, form: str, value: int, said: str
) -> None:
    whole = zipped({"a.json": b"{" + b" " * 18 + b"}", "b.json": b"{}"})
    assert len(opened(tmp_path, whole).sizes) == 2
    refused(tmp_path, patched(whole, sign, 0, offset, form, value), said)


def test_what_lies_before_between_or_behind_the_members(tmp_path: Path) -> None:
    whole = zipped({"a.json": b"{}", "b.json": b"{}"})
    refused(tmp_path, b"#!/bin/sh\n" + whole, "is no zip file")
    refused(tmp_path, whole + b"\n", "is no zip file, or a part of it is cut off or was added")
    refused(tmp_path, b"", "is no zip file")
    refused(tmp_path, whole[:-30], "is no zip file, or a part of it is cut off")
    directory = whole.index(CENTRAL)
    more = whole[:directory] + b"hidden" + whole[directory:]
    more = patched(more, END, 0, 16, "<I", directory + 6)
    refused(tmp_path, more, "bytes between its members that belong to none")


def test_members_over_one_another(tmp_path: Path) -> None:
    """Many names for the same packed bytes: the bomb of Fifield (2019), which has small ratios."""
    whole = zipped({"a.json": bytes(100), "b.json": b""}, method=zipfile.ZIP_STORED)
    both = patched(whole, CENTRAL, 1, 42, "<I", 0)
    refused(tmp_path, both, "header of|does not begin where")


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    data = zipped({"a.bin": bytes(40 << 20)}, method=zipfile.ZIP_DEFLATED)
    (tmp_path / "bomb.zip").write_bytes(data)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(BundleError, match=r"grows from .* more than 100 times is refused"):
        Archive.open(tmp_path / "bomb.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert time.perf_counter() - began < 1


def test_a_member_that_lies_about_its_size_is_unpacked_no_further(tmp_path: Path) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(40 << 20)) + bomb.flush()
    data = zipped({"a.bin": bytes(len(packed))})
    begin = data.index(b"a.bin") + 5
    data = data[:begin] + packed + data[begin + len(packed) :]
    for sign, method, size in ((LOCAL, 8, 22), (CENTRAL, 10, 24)):
        data = patched(patched(data, sign, 0, method, "<H", 8), sign, 0, size, "<I", 1 << 20)
    store = opened(tmp_path, data)
    tracemalloc.start()
    with pytest.raises(BundleError, match=r"'a.bin' is damaged"):
        store.read("a.bin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_packed_bytes_that_are_none_or_more_than_one(tmp_path: Path) -> None:
    text = b"crack near the weld " * 9
    whole = zipped({"a.txt": text}, method=zipfile.ZIP_DEFLATED)
    begin = whole.index(b"a.txt") + 5
    for at, byte in ((begin, 7), (begin + 4, 0xFF)):
        store = opened(tmp_path, whole[:at] + bytes([byte]) + whole[at + 1 :])
        with pytest.raises(BundleError, match=r"'a.txt' is damaged|'a.txt' cannot be read"):
            store.read("a.txt")


def test_a_damaged_stored_member(tmp_path: Path) -> None:
    whole = zipped({"a.txt": b"crack"})
    store = opened(tmp_path, whole.replace(b"crack", b"track"))
    with pytest.raises(BundleError, match=r"'a.txt' is damaged"):
        store.read("a.txt")


def test_too_many_members(tmp_path: Path) -> None:
    refused(tmp_path, zipped({f"{n}.json": b"" for n in range(MOST + 1)}), "more than 4096 files")


def test_too_much_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({"a.bin": bytes(600), "b.bin": bytes(600)})
    monkeypatch.setattr("modalloy.bundle.sizes.TOTAL", 1199)
    refused(tmp_path, data, "holds 1200 bytes; a bundle holds at most 1199")
    monkeypatch.setattr("modalloy.bundle.sizes.LARGEST", 599)
    refused(tmp_path, data, "'a.bin' has 600 bytes; a part of a bundle has at most 599")


def test_our_own_zip_files_are_read_by_others(tmp_path: Path) -> None:
    bundle(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as file:
        assert file.testzip() is None
        assert file.namelist()[0] == "manifest.json"
        assert {i.date_time for i in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {i.external_attr >> 16 for i in file.infolist()} == {stat.S_IFREG | 0o644}
    store = ZipStore.open(tmp_path / "model.zip")
    assert {name: store.read(name) for name in store.sizes} == members(tmp_path / "model.zip")
