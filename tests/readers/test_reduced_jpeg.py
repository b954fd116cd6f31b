"""Large JPEGs are decoded at a reduced scale: upright, in their colours, close to the whole one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modalloy.cells.cells import Cells
from modalloy.media.media import open_image
from modalloy.readers.image import ImageReader

SIDE = 32
WIDE, HIGH = 640, 480  # twenty and fifteen times as many as are needed


def scene() -> Image.Image:
    """Four colours in four corners, with a texture such as photographs have."""
    y_HW, x_HW = np.mgrid[0:HIGH, 0:WIDE]
    texture_HW = 12 * np.sin(x_HW / 9) + 12 * np.cos(y_HW / 7 + x_HW / 31)
    left_HW, top_HW = x_HW < WIDE // 2, y_HW < HIGH // 2
    red = np.where(left_HW & top_HW, 220, 40)
    green = np.where(~left_HW & top_HW, 200, 50)
    blue = np.where(left_HW & ~top_HW, 210, 60)
    noise = np.random.default_rng(0).normal(0, 4, (HIGH, WIDE, 3))
    x_HWC = np.stack([red, green, blue], -1) + texture_HW[..., None] + noise
    return Image.fromarray(x_HWC.clip(0, 255).astype(np.uint8))


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0},
    "grey": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},
    "on its side": {"exif": 6},
    "mirrored": {"exif": 5},
    "upside down": {"exif": 3},
}


def written(path: Path, *, mode: str = "RGB", exif: int = 1, **options: Any) -> Path:
    """The scene as a JPEG of a form."""
    tags = Image.Exif()
    tags[0x0112] = exif
    scene().convert(mode).save(path, quality=95, exif=tags, **options)
    return path


def read(path: Path, channels: int = 3) -> np.ndarray:
    """Pixels (C, P, P) as a reader gives them."""
    reader = ImageReader("photo", channels, SIDE, None)
    found = reader.read(Cells({"photo": [path.name]}, path.parent))
    assert found.status == ["ok"]
    return found.values["pixels"][0].astype(np.float64)


@pytest.mark.parametrize("form", FORMS)
def test_a_reduced_jpeg_is_close_to_the_whole_one(form: str, tmp_path: Path) -> None:
    jpeg = written(tmp_path / "part.jpg", **FORMS[form])
    drafted = open_image(jpeg, SIDE)
    assert max(drafted.size) <= 2 * 4 * SIDE  # an eighth a side
    whole = open_image(jpeg)
    assert {*whole.size} == {WIDE, HIGH}
    assert drafted.info["original_size"] == whole.size
    turned = FORMS[form].get("exif", 1) in (5, 6)
    assert whole.size == ((HIGH, WIDE) if turned else (WIDE, HIGH))
    whole.save(tmp_path / "whole.png")
    reduced, exact = read(jpeg), read(tmp_path / "whole.png")
    difference = np.abs(reduced - exact)
    assert difference.mean() < 1.0  # of 255; .5 to .7 measured
    assert difference.max() < 10.0
    if form == "grey":
        assert (reduced[0] == reduced[1]).all()
        assert np.abs(read(jpeg, 1) - read(tmp_path / "whole.png", 1)).mean() < 1.0
    corner = exact[:, :8, :8].mean((1, 2))
    assert np.abs(reduced[:, :8, :8].mean((1, 2)) - corner).max() < 1.0


def test_a_jpeg_that_is_hardly_larger_than_needed_is_decoded_whole(tmp_path: Path) -> None:
    jpeg = written(tmp_path / "part.jpg")
    assert open_image(jpeg, 300).size == (WIDE, HIGH)
    assert open_image(jpeg, 240).size == (WIDE // 2, HIGH // 2)
    assert open_image(written(tmp_path / "turned.jpg", exif=6), 240).size == (HIGH // 2, WIDE // 2)
