"""Valid media files in, broken ones made of them: none may stop us with anything but a sentence."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media.media import open_image
from modalloy.media.samples import read_series_file
from modalloy.media.sound import read_audio
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader

PICTURES = {
    "png": {}, "jpg": {}, "bmp": {}, "webp": {"lossless": True},
    "tiff": {"compression": "raw"},
}  # fmt: skip
SOUNDS = ("wav", "flac", "ogg")
ARRAYS = ("npy", "npz", "mat4.mat", "mat5.mat", "packed.mat", "csv")
READERS: dict[str, Reader] = {
    "picture": ImageReader("x", 3, 8, None),
    "sound": AudioReader("x", 4000, 0.1),
    "series": SeriesReader("x", ("x",), False, 64, None, None, (0.0,), (1.0,)),
}
FAST = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def valid_file(kind: str) -> bytes:
    """A small good file of an ending."""
    draw = np.random.default_rng(0)
    x_L = draw.normal(0, 0.1, 400)
    out = io.BytesIO()
    if kind in PICTURES:
        exif = Image.Exif()
        exif[0x112] = 6
        picture = Image.fromarray(draw.integers(0, 256, (12, 10, 3), dtype=np.uint8))
        picture.save(
            out, format={"jpg": "JPEG"}.get(kind, kind.upper()), exif=exif, **PICTURES[kind]
        )
    elif kind in SOUNDS:
        soundfile.write(out, x_L, 8000, format=kind.upper())
    elif kind == "npy":
        np.save(out, x_L.reshape(2, -1))
    elif kind == "npz":
        np.savez_compressed(out, x=x_L)
    elif kind == "csv":
        out.write(b"x\n" + b"\n".join(str(v).encode() for v in x_L[:20]))
    else:
        packed, version = kind == "packed.mat", "4" if kind == "mat4.mat" else "5"
        scipy.io.savemat(out, {"x": x_L, "s": "text"}, format=version, do_compression=packed)
    return out.getvalue()


VALID = {kind: valid_file(kind) for kind in (*PICTURES, *SOUNDS, *ARRAYS)}


@st.composite
def broken_file(draw: st.DrawFn, kinds: tuple[str, ...]) -> tuple[str, bytes]:
    """A good file that was cut, or some bytes of which were overwritten, mostly near its head."""
    kind = draw(st.sampled_from(kinds))
    data = bytearray(VALID[kind])
    if draw(st.booleans()):
        data = data[: draw(st.integers(0, len(data) - 1))]
    for _ in range(draw(st.integers(0, 12)) if data else 0):
        last = len(data) - 1
        at = draw(st.one_of(st.integers(0, min(last, 200)), st.integers(0, last)))
        data[at] = draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 127, 128, 255])))
    return kind.split(".")[-1], bytes(data)


def check(path: Path, data: bytes, read: Callable[[Path], object], reader: Reader) -> None:
    """The file is read or refused with a sentence, and a refused one is an absent cell."""
    path.write_bytes(data)
    found = reader.read(Cells({"x": [path.name]}, path.parent))
    said = ""
    try:
        read(path)
    except TableError as error:
        said = str(error)
    assert found.status[0].split(":")[0] in ("ok", "missing", "unreadable")
    assert (found.status[0] == "ok") == bool(found.present[0])
    if said:
        assert path.name in said
        assert len(said) < 600
        assert not found.present[0]
    for value in found.values.values():
        assert np.isfinite(value).all()


@given(broken_file(tuple(PICTURES)))
@FAST
def test_broken_pictures(tmp_path: Path, file: tuple[str, bytes]) -> None:
    kind, data = file
    check(tmp_path / f"x.{kind}", data, lambda p: open_image(p, 8), READERS["picture"])


@given(broken_file(SOUNDS))
@FAST
def test_broken_sounds(tmp_path: Path, file: tuple[str, bytes]) -> None:
    kind, data = file
    check(tmp_path / f"x.{kind}", data, lambda p: read_audio(p, 0.1), READERS["sound"])


@given(broken_file((*ARRAYS, "wav")))
@FAST
def test_broken_series(tmp_path: Path, file: tuple[str, bytes]) -> None:
    kind, data = file
    check(tmp_path / f"x.{kind}", data, lambda p: read_series_file(p, None, 64), READERS["series"])


@given(st.binary(max_size=300), st.sampled_from(["png", "wav", "npy", "npz", "mat", "csv"]))
@settings(FAST, max_examples=80)
def test_any_bytes_under_any_ending(tmp_path: Path, data: bytes, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    for name, read in {
        "picture": open_image,
        "sound": read_audio,
        "series": lambda p: read_series_file(p, None, 64),
    }.items():
        check(path, data, read, READERS[name])


@pytest.mark.parametrize("kind", VALID)
def test_the_files_are_good_before_they_are_broken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind.split('.')[-1]}"
    name = "picture" if kind in PICTURES else "sound" if kind in SOUNDS else "series"
    path.write_bytes(VALID[kind])
    read = READERS[name].read(Cells({"x": [path.name]}, tmp_path))
    expected = "unreadable: 2 channels" if kind == "npy" else "ok"
    assert read.status[0].startswith(expected)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    marker = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (marker,)

    trap = np.array([Trap()], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=trap)
    options = config.Series()
    for name in ("a.npy", "a.npz"):
        with pytest.raises(TableError, match="no series can be read"):
            SeriesReader.fit("x", options, Cells({"x": [name]}, tmp_path))
    assert not marker.exists()
