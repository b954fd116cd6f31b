"""A picture of a row as small as the page shows it, for boxes to lie on."""

import io
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import TableError
from modalloy.media.blob import Blob
from modalloy.media.media import File, open_image
from modalloy.serving.schema import data_address

PIXELS = 800  # of the longer side


class Picture(NamedTuple):
    """address: a `data:` text. width, height: of the file, in whose pixels boxes are."""

    address: str
    width: int
    height: int


def picture_of(cell: Any, folder: Path | None = None) -> Picture | None:
    """The picture in a cell: its bytes, or the name of a file in a folder of our own. None where
    there is none, or it cannot be read.
    """
    if isinstance(cell, str) and folder is not None:
        file: File = folder / cell
    elif isinstance(cell, bytes):
        file = Blob(cell)
    else:
        return None
    try:
        small = open_image(file, PIXELS)
    except TableError:
        return None
    width, height = small.info["original_size"]
    small.thumbnail((PIXELS, PIXELS))
    out = io.BytesIO()
    small.convert("RGB").save(out, "JPEG", quality=85)
    return Picture(data_address("image/jpeg", out.getvalue()), width, height)
