"""Cells that name or hold a picture in, its pixels at one size out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from PIL import Image

from modalloy.cells.cells import Cells, empty
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media.media import open_image, source_of, spread, usual_white
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader, noted, same

LOOKED_AT = 64  # training pictures that decide between grey and colour
GREY = 8  # largest difference between the channels of a picture that counts as grey


@dataclass(frozen=True)
class ImageReader(Reader):
    """Pictures squashed to a square by antialiased bilinear interpolation.

    channels: 1 where the training pictures are all grey, else 3.
    white: value shown as white in pictures of 16 bits or floats, None if training had none.
    """

    kind: ClassVar[str] = "image"
    channels: int
    pixels: int
    white: float | None

    @classmethod
    def fit(cls, name: str, options: config.Image, cells: Cells) -> Self:
        """Grey or colour, and the white of deep pictures; TableError where none can be read."""
        given = [c for c in cells[name] if not empty(c)]
        if not given:
            raise all_missing(name, cells)
        grey, peaks, failed = [], [], ""
        for cell in spread(given, LOOKED_AT):
            try:
                source = source_of(cell, cells.folder, cells.allow_outside)
                picture = open_image(source.file, options.pixels)
            except TableError as error:
                failed = str(error)
                continue
            grey.append(is_grey(picture))
            if picture.info["peak"] is not None:
                peaks.append(picture.info["peak"])
        if not grey:
            raise TableError(f"column '{name}': no picture can be read: {failed}")
        white = usual_white(max(peaks)) if peaks else None
        return cls(name, 1 if all(grey) else 3, options.pixels, white)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """In colour where any site's are, and as white as the whitest."""
        whites = [r.white for r in fitted if r.white is not None]
        channels = max(r.channels for r in fitted)
        return replace(
            same(fitted, "pixels"), channels=channels, white=max(whites) if whites else None
        )

    def read(self, cells: Cells) -> Read:
        """Values pixels (B, c, P, P) uint8, size (B, 2) float32: width and height in the file."""
        rows = len(cells)
        pixels = np.zeros((rows, self.channels, self.pixels, self.pixels), dtype=np.uint8)
        size = np.zeros((rows, 2), dtype=np.float32)
        status = []
        for row, cell in enumerate(cells[self.name]):
            status.append(self._read_one(cell, cells, pixels[row], size[row]))
        return Read({"pixels": pixels, "size": size}, size[:, 0] > 0, status)

    def _read_one(self, cell: Any, cells: Cells, out: np.ndarray, size: np.ndarray) -> str:
        if empty(cell):
            return "missing"
        try:
            source = source_of(cell, cells.folder, cells.allow_outside)
            picture = open_image(source.file, self.pixels, white=self.white)
        except TableError as error:
            return f"unreadable: {error}"
        size[:] = picture.info["original_size"]
        side = (self.pixels, self.pixels)
        small = picture.resize(side, Image.Resampling.BILINEAR, reducing_gap=3.0)
        array = np.asarray(small.convert("L" if self.channels == 1 else "RGB"))
        out[:] = array[None] if self.channels == 1 else array.transpose(2, 0, 1)
        return noted([source.note])


def is_grey(picture: Image.Image) -> bool:
    """Whether no pixel has a colour that one would see."""
    if picture.mode == "L":
        return True
    low, *others = picture.split()
    return all(
        np.abs(np.asarray(low, dtype=np.int16) - np.asarray(o)).max() <= GREY for o in others
    )
