"""Opens the files that cells name or hold, or says in one sentence why not."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from modalloy.errors import TableError
from modalloy.media.blob import Blob, File, handle, is_bytes, size_of
from modalloy.media.decode import KINDS, MAX_BYTES, MAX_PIXELS, explained
from modalloy.media.lookup import Found, Way, find, hint, shown

WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)


class Source(NamedTuple):
    """The file of a cell; note: what is to be said of where it was found; way: see `Found`."""

    file: File
    note: str = ""
    way: Way = "written"


def source_of(cell: Any, folder: Path, allow_outside: bool) -> Source:
    """The file whose bytes a cell holds, or that it names, as `locate` finds it."""
    if is_bytes(cell):
        return Source(within_limits(Blob(bytes(cell))))
    found = locate(cell, folder, allow_outside)
    note = f"found as {shown(found.path, folder)}" if found.way == "moved" else ""
    return Source(found.path, note, found.way)


def locate(cell: Any, folder: Path, allow_outside: bool) -> Found:
    """The file that a cell names, relative to the table's folder, and how it was found.

    Raises TableError for what is no path, no file, too large, or outside the folder unless
    `allow_outside`: absolute, `..` or a link that leads away.
    """
    if not isinstance(cell, str | os.PathLike):
        raise TableError(f"expected a path to a file, found {_short(cell)}")
    given, text = Path(cell), os.fspath(cell)
    try:
        here = given.is_absolute() and not allow_outside and given.exists()
        found = None if here else find(str(text), folder, anywhere=allow_outside)
        path = (found.path if found else folder / given).resolve()
        inside = allow_outside or path.is_relative_to(folder.resolve())
        size = path.stat().st_size if found else 0
        why = "" if found else hint(str(text), folder)
    except (OSError, ValueError, RuntimeError) as error:
        raise TableError(f"path {_short(str(cell))} cannot be looked up: {error}") from error
    if found is None and given.is_absolute() and not allow_outside:
        raise TableError(
            f"path {given} is absolute; write it relative to {folder} or set allow_outside"
        )
    if not inside:
        raise TableError(
            f"path {given} leads outside the table's folder {folder}; set allow_outside to read it"
        )
    if found is None:
        raise TableError(f"no file {given} in {folder}{why}")
    within_limits(path, size)
    return Found(path, found.way)


def within_limits(file: File, size: int | None = None) -> File:
    """The same file; TableError where it is empty or too large."""
    size = size_of(file) if size is None else size
    if size == 0:
        raise TableError(f"{file} is empty")
    if size > MAX_BYTES:
        raise TableError(f"{file} has {size >> 20} MB, more than {MAX_BYTES >> 20}")
    return file


def open_image(path: File, draft: int | None = None, *, white: float | None = None) -> Image.Image:
    """An upright 8-bit picture of mode L or RGB; transparent parts are laid on white.

    draft: decode a JPEG at the smallest of its scales that keeps this many pixels a side.
    white: value shown as white in pictures of 16 bits or floats; None takes the smallest usual bit
        depth that holds the brightest pixel, which `info["peak"]` tells (None for other pictures).
    `info["original_size"]` is (width, height) before drafting; `info["several"]` tells whether the
    file holds more pages or frames than the first, which is the one that is shown. Raises
    TableError.
    """
    named_tga = isinstance(path, Path) and path.suffix.lower() == ".tga"
    kinds = ("TGA",) if named_tga else KINDS
    with explained(path, "picture"), Image.open(handle(path), formats=kinds) as file:
        width, height = file.size
        if width * height > MAX_PIXELS:
            raise TableError(
                f"{path} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
            )
        if draft is not None:
            file.draft(None, (draft, draft))
        drafted = file.size
        # Phones put a preview or a brightness map behind a JPEG: that is no second page.
        several = file.format != "MPO" and bool(getattr(file, "is_animated", False))
        picture = ImageOps.exif_transpose(file)
        turned = drafted != picture.size and drafted[::-1] == picture.size
        peak = _peak(picture)
        picture = _eight_bits(picture, usual_white(peak or 0.0) if white is None else white)
    size = (height, width) if turned else (width, height)
    picture.info = {"original_size": size, "peak": peak, "several": several}
    return picture


def spread(cells: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of them, evenly spread."""
    return [cells[i] for i in np.linspace(0, len(cells) - 1, min(count, len(cells))).astype(int)]


# --- pictures ----------------------------------------------------------------------------------


def usual_white(peak: float) -> float:
    """Smallest of 1 and the largest values of 8, 10, 12, 14 and 16 bits that is not below it."""
    return next((w for w in WHITES if w >= peak), peak)


def _peak(picture: Image.Image) -> float | None:
    """Brightest finite value of a picture of 16 bits or floats."""
    if picture.mode[0] not in "IF":
        return None
    x_HW = np.asarray(picture)
    return float(np.max(x_HW, initial=0.0, where=np.isfinite(x_HW)))


def _eight_bits(picture: Image.Image, white: float) -> Image.Image:
    """Mode L where the picture is grey, else RGB."""
    if picture.mode[0] in "IF":
        x_HW = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=white)
        return Image.fromarray((np.clip(x_HW / white, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    if picture.has_transparency_data:
        grey = picture.mode in ("L", "LA", "La", "1")
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("L" if grey else "RGB")
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."
