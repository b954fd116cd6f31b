"""Opens every file that a column names once: its faults, and what duplicates are told by."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.checks.column_values import spread
from modalloy.checks.similarity import SIDE, flat, thumbnail
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.machine.limits import cores
from modalloy.media.blob import File, called, is_bytes
from modalloy.media.channels import Samples
from modalloy.media.lookup import shown
from modalloy.media.media import open_image, source_of
from modalloy.media.sound import read_audio
from modalloy.readers.series import names_file, read_path
from modalloy.table.table import Table

FILES = 50_000  # files of a column that are read
LOOKED_AT = 64  # pixels that a JPEG is decoded to
QUIET = 1e-4  # loudest sample of a recording that holds nothing
Media = config.Image | config.Audio | config.Series


class Seen(NamedTuple):
    """One file that was read. fault: why it cannot be used; the rest is then empty.

    place: where it was found from the table's folder on; way: how, see `lookup.Found`. outside: it
    lies outside the table's folder. size: width and height in pixels; several: it holds more
    pictures than the first. seconds: of a recording; rate_hz, peak: its rate and its loudest
    sample; floating: which no full scale bounds; note: how its channels became one. samples: names
    of a series' channels, without the numbers. blank: one even colour, or silence. mark: equal for
    files whose content is equal.
    """

    fault: str | None = None
    place: str = ""
    way: str = "written"
    several: bool = False
    rate_hz: int = 0
    peak: float = 0.0
    floating: bool = False
    note: str = ""
    samples: Samples | None = None
    outside: bool = False
    size: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    blank: bool = False
    thumb: np.ndarray | None = None
    mark: bytes = b""


@dataclass(frozen=True)
class Files:
    """The files of one column, as they were read and as their cells name them.

    index: for each of `rows` its place in `seen` and `paths`, -1 without one. skipped: files beyond
    those that were read.
    """

    rows: np.ndarray
    index: np.ndarray
    seen: list[Seen]
    skipped: int
    paths: list[str]

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
    cells = table.written(column, rows)
    lists = isinstance(options, config.Series)  # samples may stand in the cell itself
    some = [not empty(c) and (not lists or names_file(c)) for c in cells]
    named = [c if is_bytes(c) else str(c) for c in cells]
    files = list(dict.fromkeys(c for c, s in zip(named, some, strict=True) if s))
    chosen = [files[i] for i in spread(np.arange(len(files)), FILES)]
    place = {file: i for i, file in enumerate(chosen)}
    index = [place.get(c, -1) if s else -1 for c, s in zip(named, some, strict=True)]

    def look(cell: str | bytes) -> Seen:
        return _look(cell, options, table.folder, allow_outside)

    with ThreadPoolExecutor(cores()) as pool:
        seen = list(pool.map(look, chosen, chunksize=1))
    paths = [called(c) for c in chosen]
    return Files(rows, np.array(index, dtype=np.int64), seen, len(files) - len(chosen), paths)


def _look(cell: str | bytes, options: Media, folder: Path, allow_outside: bool) -> Seen:
    try:
        match options:
            case config.Image():
                source = source_of(cell, folder, allow_outside)
                seen = _look_at(source.file)
            case config.Audio():
                source = source_of(cell, folder, allow_outside)
                seen = _listen_to(source.file)
            case config.Series():
                return _follow(cell, options, folder, allow_outside)
        return seen._replace(place=_place(source.file, folder), way=source.way)
    except TableError as error:
        away = not allow_outside and _leads_away(cell, folder)
        return Seen(fault=str(error), outside=away)


def _place(file: File, folder: Path) -> str:
    """Where a file lies from the table's folder on."""
    return shown(file, folder) if isinstance(file, Path) else str(file)


def _leads_away(cell: str | bytes, folder: Path) -> bool:
    if isinstance(cell, bytes):
        return False
    try:
        return not (folder / cell).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # no path at all, as the fault says
        return False


def _look_at(path: File) -> Seen:
    picture = open_image(path, LOOKED_AT)
    thumb = thumbnail(picture)
    blank = bool(flat(thumb[None])[0])
    size, several = picture.info["original_size"], picture.info["several"]
    return Seen(size=size, several=several, blank=blank, thumb=thumb)


def _listen_to(path: File) -> Seen:
    sound = read_audio(path)
    return Seen(
        seconds=len(sound.wave) / sound.rate_hz,
        rate_hz=sound.rate_hz,
        peak=sound.peak,
        floating=sound.floating,
        note=sound.note,
        blank=sound.peak < QUIET,
        mark=_mark(sound.wave),
    )


def _follow(cell: str | bytes, options: config.Series, folder: Path, allow_outside: bool) -> Seen:
    one, source = read_path(cell, Cells({}, folder, allow_outside), options.length, options.rate_hz)
    x_CL = one.channels().x_CL
    names = one._replace(x_CL=np.zeros((len(one.x_CL), 0)))
    place = _place(source.file, folder)
    mark, blank = _mark(x_CL), still(x_CL)
    return Seen(place=place, way=source.way, samples=names, blank=blank, mark=mark)


def still(x: np.ndarray) -> bool:
    """Whether samples never change, or there are none."""
    finite = x[np.isfinite(x)]
    return finite.size == 0 or float(np.ptp(finite)) == 0.0


def _mark(x: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(x).tobytes(), digest_size=16).digest()
