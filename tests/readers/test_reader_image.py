import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.image import ImageReader

PIXELS = 16


def smooth(height: int, width: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    smooth(60, 90).save(tmp_path / "colour.png")
    smooth(400, 600).save(tmp_path / "colour.jpg", quality=95)
    smooth(60, 90).convert("L").save(tmp_path / "grey.png")
    smooth(60, 90).convert("L").convert("RGB").save(tmp_path / "looks_grey.jpg")
    Image.fromarray((np.arange(64 * 64).reshape(64, 64)).astype(np.uint16)).save(
        tmp_path / "deep.png"
    )
    (tmp_path / "broken.png").write_bytes((tmp_path / "colour.png").read_bytes()[:300])
    (tmp_path / "empty.png").touch()
    return tmp_path


def fit(cells: list[object], folder: Path) -> ImageReader:
    return ImageReader.fit("photo", config.Image(pixels=PIXELS), Cells({"photo": cells}, folder))


def test_pixels_are_an_antialiased_squash(folder: Path) -> None:
    reader = fit(["colour.png", "colour.jpg"], folder)
    read = reader.read(Cells({"photo": ["colour.png", "colour.jpg"]}, folder))
    assert read.values["pixels"].shape == (2, 3, PIXELS, PIXELS)
    assert read.values["pixels"].dtype == np.uint8
    assert read.values["size"].tolist() == [[90.0, 60.0], [600.0, 400.0]]
    for row, name in enumerate(("colour.png", "colour.jpg")):
        whole = np.asarray(Image.open(folder / name), dtype=float)
        expected = resize(whole, (PIXELS, PIXELS), order=1, anti_aliasing=True)
        assert np.abs(read.values["pixels"][row].transpose(1, 2, 0) - expected).mean() < 4


def test_grey_pictures_have_one_channel_even_as_rgb_files(folder: Path) -> None:
    reader = fit(["grey.png", "looks_grey.jpg", None], folder)
    assert reader.channels == 1
    read = reader.read(Cells({"photo": ["grey.png", "looks_grey.jpg", "colour.png"]}, folder))
    assert read.values["pixels"].shape == (3, 1, PIXELS, PIXELS)
    apart = read.values["pixels"].astype(int)
    assert np.abs(apart[0] - apart[1]).mean() < 2
    assert np.abs(apart[0] - apart[2]).mean() < 2


def test_one_coloured_picture_makes_three_channels(folder: Path) -> None:
    reader = fit(["grey.png", "colour.png"], folder)
    pixels = reader.read(Cells({"photo": ["grey.png"]}, folder)).values["pixels"]
    assert pixels.shape == (1, 3, PIXELS, PIXELS)
    assert np.array_equal(pixels[0, 0], pixels[0, 2])


def test_deep_pictures_share_one_white(folder: Path) -> None:
    Image.fromarray(np.full((8, 8), 1000, dtype=np.uint16)).save(folder / "dark.png")
    reader = fit(["deep.png", "dark.png"], folder)
    assert reader.white == 4095.0
    pixels = reader.read(Cells({"photo": ["dark.png"]}, folder)).values["pixels"]
    assert np.abs(pixels.astype(int) - 1000 * 255 // 4095).max() <= 1
    assert fit(["grey.png"], folder).white is None


def test_bad_cells_are_absent_and_say_why(folder: Path) -> None:
    reader = fit(["colour.png", "broken.png"], folder)
    cells = [None, "none.png", "broken.png", "empty.png", "../x.png", 3, "colour.png"]
    read = reader.read(Cells({"photo": cells}, folder))
    assert read.present.tolist() == [False] * 6 + [True]
    assert read.status[0] == "missing"
    assert all(s.startswith("unreadable: ") for s in read.status[1:6])
    assert "no file none.png" in read.status[1]
    assert not read.values["pixels"][:6].any()
    assert not read.values["size"][:6].any()


def test_columns_without_a_readable_picture_are_refused(folder: Path) -> None:
    with pytest.raises(TableError, match="is empty in all 2 training rows"):
        fit([None, ""], folder)
    with pytest.raises(TableError, match=r"no picture can be read: .*broken\.png"):
        fit(["none.png", "broken.png"], folder)


def test_a_row_reads_alone_as_it_does_among_others_and_from_its_state(folder: Path) -> None:
    names = ["colour.png", None, "grey.png", "colour.jpg", "broken.png"]
    reader = fit(names, folder)
    again = ImageReader.from_state(json.loads(json.dumps(reader.state())))
    assert again == reader
    together = reader.read(Cells({"photo": names}, folder))
    for row, name in enumerate(names):
        alone = again.read(Cells({"photo": [name]}, folder))
        for key, value in alone.values.items():
            assert np.array_equal(value[0], together.values[key][row])
        assert alone.status[0] == together.status[row]
