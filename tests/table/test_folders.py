from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from modalloy.errors import TableError
from modalloy.media.media import open_image
from modalloy.table.folders import read_pictures
from modalloy.table.open_table import open_table

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3


def save(path: Path, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GREY).convert(mode).save(path)
    return path


def test_every_picture_is_a_row_whatever_its_name_and_kind(tmp_path: Path) -> None:
    names = [
        "dent/_DSC0001.JPG", "dent/1.jfif", "dent/2.gif", "dent/3.ppm", "dent/4.tga", "dent/5.jp2",
        "ok/_MG_7.png", "ok/é ü 图.webp", "ok/6.pgm", "ok/8.tiff", "ok/9.pcx", "_empty/e 1.bmp",
        "_empty/deep/_er/x.jpe", "ok/²/1.dib",
    ]  # fmt: skip
    for name in names:
        grey = name.endswith(("pgm", "gif"))
        save(tmp_path / name, "L" if grey else "RGB")
    stream = read_pictures(tmp_path)
    assert stream.notes == ()
    table = open_table(tmp_path)
    assert set(table.cells("image")) == set(names)
    assert set(table.cells("label")) == {"dent", "ok", "_empty", "_empty/deep/_er", "ok/²"}
    for name in names:  # and every one of them can be opened
        assert open_image(tmp_path / name).size == (8, 8), name


def test_files_that_are_no_rows_are_told_with_reason_count_and_example(tmp_path: Path) -> None:
    save(tmp_path / "ok" / "1.png")
    save(tmp_path / "ok" / ".2.png")
    save(tmp_path / ".thumbs" / "3.png")
    for name in ("ok/4.heic", "ok/5.HEIC", "labels.csv", "ok/README", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more").symlink_to(tmp_path / "ok")
    notes = "\n".join(read_pictures(tmp_path).notes)
    assert "left out 2 files (2 .heic) of formats that are not read" in notes
    assert "ok/4.heic, ok/5.HEIC" in notes
    assert "2 files (2 .png) hidden by a dot" in notes
    assert ".thumbs/3.png, ok/.2.png" in notes
    assert "not known as pictures by their ending: labels.csv, ok/README" in notes
    assert "1 file (1 no ending) that link to folders, which are not entered: more" in notes
    assert "DS_Store" not in notes
    assert open_table(tmp_path).cells("image") == ["ok/1.png"]


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / b"\xff2.png".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    (note,) = read_pictures(tmp_path).notes
    assert "whose names are not UTF-8, rename them: '\\udcff2.png'" in note
    note.encode()
    assert open_table(tmp_path).cells("image") == ["1.png"]


def test_pictures_without_a_label_among_others_are_told(tmp_path: Path) -> None:
    for name in ("ok/1.png", "bad/2.png", "3.png"):
        save(tmp_path / name)
    notes = read_pictures(tmp_path).notes
    assert len(notes) == 1
    assert "1 picture outside of any class folder: no label: 3.png" in notes[0]


@pytest.mark.parametrize("odd", ["loose.png", "extras/5.png", "extras/ok/5.png"])
def test_pictures_beside_the_folders_of_a_split_leave_it_as_it_is(tmp_path: Path, odd: str) -> None:
    for name in ("train/ok/1.png", "train/bad/2.png", "test/ok/3.png", "test/bad/4.png", odd):
        save(tmp_path / name)
    table = open_table(tmp_path)
    parts = dict(zip(table.cells("image"), table.cells("split"), strict=True))
    labels = dict(zip(table.cells("image"), table.cells("label"), strict=True))
    assert parts.pop(odd) is None
    assert labels.pop(odd) == ("ok" if "/ok/" in odd else None)
    assert parts == {n: n.split("/")[0] for n in parts}
    assert labels == {n: n.split("/")[1] for n in labels}
    (note,) = read_pictures(tmp_path).notes
    said = f"1 picture outside of the folders of the split (train, test): in no part of it: {odd}"
    assert said in note.replace("test, train", "train, test")


def test_a_class_that_is_called_like_a_part_of_a_split_stays_a_class(tmp_path: Path) -> None:
    for name in ("train/1.png", "bus/2.png", "3.png"):
        save(tmp_path / name)
    table = open_table(tmp_path)
    assert table.columns == ["image", "label"]
    assert set(table.cells("label")) == {"train", "bus", None}
    assert "no label: 3.png" in read_pictures(tmp_path).notes[0]


def test_a_folder_without_a_readable_picture_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(TableError, match=r"neither Parquet files nor pictures.*1 \.heic"):
        read_pictures(tmp_path)


def test_pictures_beside_parquet_files_are_told(tmp_path: Path) -> None:
    from modalloy.table.folders import beside_tables

    save(tmp_path / "ok" / "1.png")
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "answers.parquet")
    pq.write_table(pa.table({"x": [3]}), tmp_path / "_hidden.parquet")
    assert open_table(tmp_path).columns == ["x"]
    assert open_table(tmp_path).rows == 2
    assert "1 picture beside them are no rows of their own: ok/1.png" in beside_tables(tmp_path)[0]


def test_the_first_of_several_frames_is_shown_and_the_others_are_told(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (0, 250)]
    for ending in ("gif", "tiff"):
        path = tmp_path / f"a.{ending}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        picture = open_image(path)
        assert picture.info["several"]
        assert np.asarray(picture.convert("L")).max() == 0
    assert not open_image(save(tmp_path / "b.gif", "L")).info["several"]
