"""A cell that holds a file reads as the cell that names it does, with the same limits and words."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from PIL import Image
from scipy.io import savemat

import modalloy as ma
from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media import decode, media
from modalloy.media.blob import Blob
from modalloy.media.media import open_image, source_of
from modalloy.media.samples import read_series_file
from modalloy.media.sound import read_audio
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.series import SeriesReader
from modalloy.table.open_table import open_table

pytestmark = pytest.mark.usefixtures("no_lines")

WAVE = (np.sin(np.arange(800)) * 0.5).astype(np.float32)
X_CL = np.random.default_rng(0).normal(size=(2, 40))


def picture(path: Path) -> None:
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30) % 251
    Image.fromarray(grey.astype(np.uint8)).save(path)


def sound(path: Path) -> None:
    soundfile.write(path, WAVE, 4000)


def series(path: Path) -> None:
    match path.suffix:
        case ".npy":
            np.save(path, X_CL)
        case ".npz":
            np.savez(path, drive=X_CL)
        case ".mat":
            savemat(path, {"drive": X_CL})
        case ".csv":
            pd.DataFrame(X_CL.T, columns=["a", "b"]).to_csv(path, index=False)
        case _:
            sound(path)


def both(path: Path) -> tuple[Path, Blob]:
    return path, Blob(path.read_bytes())


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "gif", "bmp", "webp"])
def test_a_picture(tmp_path: Path, ending: str) -> None:
    picture(tmp_path / f"a.{ending}")
    a, b = (open_image(file, draft=8) for file in both(tmp_path / f"a.{ending}"))
    assert np.array_equal(np.asarray(a), np.asarray(b))
    assert a.info == b.info


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_recording(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.tile(WAVE, 20), 8000)
    a, b = map(read_audio, both(path))
    assert np.array_equal(a.wave, b.wave)
    assert a[1:] == b[1:]


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "a.csv", "a.wav"])
def test_samples(tmp_path: Path, name: str) -> None:
    series(tmp_path / name)
    a, b = (read_series_file(file, None, 30) for file in both(tmp_path / name))
    assert np.array_equal(a.x_CL, b.x_CL)
    assert a[1:] == b[1:]


def test_a_csv_file_in_utf_16(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1,5;2\n3;4,5\n", encoding="utf-16")
    a, b = (read_series_file(file, None, 9) for file in both(tmp_path / "a.csv"))
    assert a.x_CL.tolist() == b.x_CL.tolist() == [[1.5, 3.0], [2.0, 4.5]]


READ: dict[str, Callable[[Blob], Any]] = {
    "picture": open_image,
    "recording": read_audio,
    "series": lambda file: read_series_file(file, None, 9),
}


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("picture", b"nothing", "the file given as bytes is no picture of the kinds PNG"),
        ("recording", b"nothing", "as bytes cannot be read as a recording: Format not recognised"),
        ("series", b"\0\1\2\3", "begins as no file of samples does: NumPy, MATLAB, CSV or WAV"),
        ("series", b"one\ntwo\n", "the file given as bytes holds no column of numbers"),
        ("series", b"PK\x03\x04 cut off", "the file given as bytes cannot be read as a series"),
        ("series", b"\x93NUMPY cut", "the file given as bytes cannot be read as a series"),
    ],
)
def test_broken_bytes_get_a_sentence(kind: str, data: bytes, words: str) -> None:
    with pytest.raises(TableError) as found:
        READ[kind](Blob(data))
    assert words in str(found.value)
    assert "BytesIO" not in str(found.value)


def test_a_cut_recording_and_too_long_a_line_are_named(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    with pytest.raises(TableError, match="given as bytes is truncated"):
        read_audio(Blob((tmp_path / "a.wav").read_bytes()[:-100]))
    with pytest.raises(TableError, match="as bytes: line 6 has 3 cells, the others 2"):
        read_series_file(Blob(b"a,b\n" + b"1.5,2.5\n" * 4 + b"5.5,6.5,7\n"), None, 9)
    buffer = io.BytesIO()
    np.savez(buffer, a=X_CL, b=X_CL)
    with pytest.raises(TableError, match="has 2 arrays; give bytes that hold one of: a, b"):
        read_series_file(Blob(buffer.getvalue()), None, 9)


def test_the_limits_are_those_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TableError, match="the file given as bytes is empty"):
        source_of(b"", Path(), False)
    monkeypatch.setattr(media, "MAX_BYTES", 99)
    with pytest.raises(TableError, match="as bytes has 0 MB, more than 0"):
        source_of(memoryview(b"x" * 100), Path(), False)
    monkeypatch.setattr(media, "MAX_PIXELS", 9)
    buffer = io.BytesIO()
    Image.new("L", (5, 5)).save(buffer, "PNG")
    with pytest.raises(TableError, match="the file given as bytes has 5 x 5 pixels"):
        open_image(Blob(buffer.getvalue()))
    assert decode.MAX_PIXELS > 9


def as_hugging_face_writes(cells: list[bytes | None]) -> pa.Array:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([None if c is None else {"bytes": c, "path": "0.png"} for c in cells], kind)


FORMS: dict[str, Callable[[list[bytes | None]], Any]] = {
    "binary": lambda cells: pa.array(cells, pa.binary()),
    "large binary": lambda cells: pa.array(cells, pa.large_binary()),
    "hugging face": as_hugging_face_writes,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["image", "audio", "series"])
def test_readers_read_a_column_of_bytes_as_one_of_paths(
    tmp_path: Path, form: str, kind: str
) -> None:
    ending, write = {"image": ("png", picture), "audio": ("wav", sound), "series": ("npy", series)}[
        kind
    ]
    write(tmp_path / f"a.{ending}")
    data = (tmp_path / f"a.{ending}").read_bytes()
    held = open_table(pa.table({"x": FORMS[form]([data, None, data])}))
    named = Cells({"x": [f"a.{ending}", None, f"a.{ending}"]}, tmp_path)
    match kind:
        case "image":
            reader = ImageReader.fit("x", config.Image(pixels=16), named)
        case "audio":
            reader = AudioReader.fit("x", config.Audio(rate_hz=4000), named)
        case _:
            reader = SeriesReader.fit("x", config.Series(length=16), named)
    a, b = reader.read(named), reader.read(held.take(["x"], np.arange(3)))
    assert a.status == b.status == ["ok", "missing", "ok"]
    assert all(np.array_equal(a.values[n], b.values[n]) for n in a.values)


def test_paths_and_bytes_may_share_a_column_of_a_frame(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    cells = ["a.png", bytearray(data), None, memoryview(data), {"bytes": None, "path": "a.png"}]
    for some in (cells[:4], [cells[4], None]):
        table = open_table(pd.DataFrame({"x": some}), folder=tmp_path)
        taken = table.take(["x"], np.arange(len(some)))
        read = ImageReader("x", 1, 8, None).read(taken)
        assert read.status == ["missing" if c is None else "ok" for c in some]


def test_a_model_trains_on_bytes_as_on_paths(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(small_table)
    for column in ("photo", "sound"):
        files = frame[column]
        frame[column] = [
            (small_table.parent / f).read_bytes() if isinstance(f, str) else None for f in files
        ]
    frame.to_parquet(tmp_path / "bytes.parquet", index=False)
    answers = []
    for name, table in (("paths", small_table), ("bytes", tmp_path / "bytes.parquet")):
        job = job_dict(table, columns=("photo", "sound", "load"))
        run = ma.train(
            job | {"train": {"epochs": 1, "precision": "float32"}}, out=tmp_path / name, quiet=True
        )
        answers.append(ma.predict(run, frame, quiet=True))
        page = (run.path / "report.html").read_text()
        assert len(page) < 3_000_000
        assert "\\x89PNG" not in page
    pd.testing.assert_frame_equal(*answers)
