"""Cells that name media files in; what is wrong with each file, and what tells twins apart, out."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.limits import cores
from modalloy.table.finding import spread
from modalloy.table.media import open_image, read_audio, resolve
from modalloy.table.near import SIDE, flat, thumbnail
from modalloy.table.reader import Cells, empty
from modalloy.table.series import read_path
from modalloy.table.table import Table

FILES = 50_000  # files of a column that are read
LOOKED_AT = 64  # pixels that a JPEG is decoded to
QUIET = 1e-4  # loudest sample of a recording that holds nothing
Media = config.Image | config.Audio | config.Series


class Seen(NamedTuple):
    """One file that was read. fault: why it cannot be used; the rest is then empty.

    outside: it lies outside the table's folder. size: width and height in pixels; seconds: of a
    recording. blank: one even colour, or silence. mark: equal for files whose content is equal.
    """

    fault: str | None = None
    outside: bool = False
    size: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    blank: bool = False
    thumb: np.ndarray | None = None
    mark: bytes = b""


@dataclass(frozen=True)
class Files:
    """The files of one column. index: for each of `rows` its place in `seen`, -1 without one."""

    rows: np.ndarray
    index: np.ndarray
    seen: list[Seen]
    skipped: int  # files beyond those that were read

    def thumbs(self) -> np.ndarray:
        """Thumbnails (files, SIDE, SIDE, 3) uint8, black where there is none."""
        nothing = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        found = [nothing if s.thumb is None else s.thumb for s in self.seen]
        return np.stack(found) if found else nothing[:0].reshape(0, SIDE, SIDE, 3)

    def rows_of(self, wanted: Iterable[int]) -> np.ndarray:
        """Rows whose file is one of these places in `seen`."""
        return self.rows[np.isin(self.index, np.array(list(wanted), dtype=np.int64))]


def scan(
    table: Table, column: str, options: Media, rows: np.ndarray, *, allow_outside: bool
) -> Files:
    """Read every file that these rows name once, in as many threads as there are cores.

    JPEG pictures are decoded at an eighth to a half of their size, the rest whole, since only
    decoding finds a file that was cut off. Of more than FILES different files that many are read.
    """
    cells = table.cells(column, rows)
    some = [not empty(c) and _names_file(c, options) for c in cells]
    paths = list(dict.fromkeys(str(c) for c, s in zip(cells, some, strict=True) if s))
    chosen = [paths[i] for i in spread(np.arange(len(paths)), FILES)]
    place = {path: i for i, path in enumerate(chosen)}
    index = [place.get(str(c), -1) if s else -1 for c, s in zip(cells, some, strict=True)]

    def look(path: str) -> Seen:
        return _look(path, options, table.folder, allow_outside)

    with ThreadPoolExecutor(cores()) as pool:
        seen = list(pool.map(look, chosen, chunksize=1))
    return Files(rows, np.array(index, dtype=np.int64), seen, len(paths) - len(chosen))


def _names_file(cell: Any, options: Media) -> bool:
    """Series may stand in the cell itself; pictures and sounds are always files."""
    if not isinstance(options, config.Series):
        return True
    return isinstance(cell, str | Path) and not str(cell).lstrip().startswith("[")


def _look(cell: str, options: Media, folder: Path, allow_outside: bool) -> Seen:
    try:
        match options:
            case config.Image():
                return _look_at(resolve(cell, folder, allow_outside))
            case config.Audio():
                return _listen_to(resolve(cell, folder, allow_outside))
            case config.Series():
                return _follow(cell, options, folder, allow_outside)
    except TableError as error:
        away = not allow_outside and _leads_away(cell, folder)
        return Seen(fault=str(error), outside=away)


def _leads_away(cell: str, folder: Path) -> bool:
    try:
        return not (folder / cell).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # no path at all, as the fault says
        return False


def _look_at(path: Path) -> Seen:
    picture = open_image(path, LOOKED_AT)
    thumb = thumbnail(picture)
    blank = bool(flat(thumb[None])[0])
    return Seen(size=picture.info["original_size"], blank=blank, thumb=thumb)


def _listen_to(path: Path) -> Seen:
    wave, rate_hz = read_audio(path)
    blank = bool(np.abs(wave).max(initial=0.0) < QUIET)
    return Seen(seconds=len(wave) / rate_hz, blank=blank, mark=_mark(wave))


def _follow(cell: str, options: config.Series, folder: Path, allow_outside: bool) -> Seen:
    x_CL = read_path(cell, Cells({}, folder, allow_outside), options.length, options.rate_hz)
    return Seen(blank=still(x_CL), mark=_mark(x_CL))


def still(x: np.ndarray) -> bool:
    """Whether samples never change, or there are none."""
    finite = x[np.isfinite(x)]
    return finite.size == 0 or float(np.ptp(finite)) == 0.0


def _mark(x: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(x).tobytes(), digest_size=16).digest()
