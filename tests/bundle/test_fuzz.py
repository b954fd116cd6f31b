"""Whatever is done to a bundle, it is as it was written, or says one sentence; it reads no more."""

import builtins
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles import bundle, contents, keys, members, parts, refusal
from modalloy.bundle.archive import Archive


def told(path: Path, *, trust: Path | None = None) -> str:
    """Opens a bundle and reads everything: empty where all is as written, else the sentence."""
    found: list[dict[str, bytes]] = []
    said = refusal(lambda: found.append(contents(Archive.open(path, trust=trust))))
    assert "\n" not in said
    assert said or found == [parts()]
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with the same signed bundle twice, and the key to trust."""
    folder = tmp_path_factory.mktemp("made")
    private, public = keys(folder)
    bundle(folder / "m.zip", sign=private)
    bundle(folder / "m", sign=private)
    return folder, public


def test_every_byte_of_a_zip_file(made: tuple[Path, Path], tmp_path: Path) -> None:
    """One byte is another one, at every place; what no reader looks at may be (dates, versions)."""
    whole, path = (made[0] / "m.zip").read_bytes(), tmp_path / "m.zip"
    dice, passed = random.Random(0), 0
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        passed += not told(path, trust=made[1])
    assert passed <= 22 * len(members(made[0] / "m.zip"))


def test_a_zip_file_cut_off_anywhere(made: tuple[Path, Path], tmp_path: Path) -> None:
    whole, path = (made[0] / "m.zip").read_bytes(), tmp_path / "m.zip"
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        assert "is no zip file, or a part of it is cut off" in told(path)


def test_every_byte_of_a_folder(made: tuple[Path, Path], tmp_path: Path) -> None:
    """Of the manifest and of the signature with a key; of the parts without one."""
    bundle(tmp_path / "m")
    signed = made[0] / "m"
    dice = random.Random(0)
    for folder, trust in ((signed, made[1]), (tmp_path / "m", None)):
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            own = file.name in ("manifest.json", "manifest.sig")
            if own is not (trust is not None):
                continue
            whole = file.read_bytes()
            for at in range(0, len(whole), 2 if own else 9):
                changed = bytearray(whole)
                changed[at] ^= 1 << dice.randrange(8)
                file.write_bytes(changed)
                assert told(folder, trust=trust), (file.name, at)
                file.write_bytes(whole[:at])
                assert told(folder, trust=trust), (file.name, at)
            file.write_bytes(whole)
        assert told(folder, trust=trust) == ""


EDITS = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.integers(0, 40), st.binary(max_size=8)), max_size=4
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS, st.booleans())
def test_any_edits_of_a_zip_file(
    made: tuple[Path, Path], tmp_path: Path, edits: list[tuple[int, int, bytes]], trusts: bool
) -> None:
    """Pieces are cut out and others are put in, of its own bytes too."""
    whole = (made[0] / "m.zip").read_bytes()
    data = whole
    for at, length, put in edits:
        at %= len(data) + 1
        put = put or data[at // 2 : at // 2 + length]
        data = data[:at] + put + data[at + length :]
    (tmp_path / "m.zip").write_bytes(data)
    said = told(tmp_path / "m.zip", trust=made[1] if trusts else None)
    assert said or len(data) == len(whole)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06"]))
def test_any_bytes(tmp_path: Path, data: bytes, begins: bytes) -> None:
    (tmp_path / "m.zip").write_bytes(begins + data)
    assert told(tmp_path / "m.zip")


def test_an_older_zip_of_the_same_bytes_is_no_excuse(tmp_path: Path) -> None:
    """Two bundles glued together: most unzippers read the second."""
    bundle(tmp_path / "m.zip")
    data = (tmp_path / "m.zip").read_bytes()
    (tmp_path / "m.zip").write_bytes(data + data)
    assert "is no zip file" in told(tmp_path / "m.zip")


def test_nothing_outside_the_folder_is_opened(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that is opened, by its name once links are followed, lies in the bundle."""
    bundle(tmp_path / "m")
    (tmp_path / "secret.json").write_bytes(parts()["readers.json"])
    opened: list[str] = []
    real = os.open

    def watched(path: Any, *args: Any, **more: Any) -> int:
        number = real(path, *args, **more)
        opened.append(os.readlink(f"/proc/self/fd/{number}"))
        return number

    def refused(*args: Any, **more: Any) -> Any:
        raise AssertionError(args)

    for target in ("../secret.json", "/etc/passwd", str(tmp_path / "secret.json"), "readers.json"):
        for name in ("readers.json", "graphs/add.bin", "graphs", "more.json", "manifest.sig"):
            place = tmp_path / "m" / name
            aside = tmp_path / "aside"
            if place.exists():
                os.rename(place, aside)
            place.symlink_to(target)
            with monkeypatch.context() as patch:
                patch.setattr(os, "open", watched)
                patch.setattr(builtins, "open", refused)
                patch.setattr(Path, "read_bytes", refused)
                assert "is a link" in told(tmp_path / "m")
            place.unlink()
            if aside.exists():
                os.rename(aside, place)
    assert told(tmp_path / "m") == ""
    assert opened
    assert all(p == str(tmp_path / "m") or p.startswith(f"{tmp_path}/m/") for p in opened)
