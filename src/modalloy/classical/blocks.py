"""Plain features of any input's cells, before anything is fitted.

Numbers as they are, category codes, time parts, texts, simple statistics of pictures, sounds and
sensor series.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.cells.numbers import to_numbers
from modalloy.cells.values import spelled
from modalloy.classical.statistics import LARGEST, PIXELS, of_picture, of_series, of_sound
from modalloy.readers.audio import AudioReader
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader, to_log
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import to_words

EMBEDDED = "frozen embeddings"  # name of their block; all inputs that have some share it


class FeatureBlock(NamedTuple):
    """Features of one input for B rows: numbers (B, F) with NaN where absent, or B texts."""

    name: str
    values: np.ndarray | list[str]
    codes: bool = False  # numbers of categories
    plain: bool = False  # a number, category or time: no encoder has features of it
    embedded: bool = False  # a frozen encoder's features

    def take(self, at: np.ndarray) -> Self:
        """Some of the rows."""
        if isinstance(self.values, list):
            return self._replace(values=[self.values[i] for i in at])
        return self._replace(values=self.values[at])


def read_blocks(readers: Mapping[str, Reader], cells: Cells) -> dict[str, FeatureBlock]:
    """Plain features of every input, by its name."""
    return {name: read_block(reader, cells) for name, reader in readers.items()}


def embedded_block(z_BF: np.ndarray) -> FeatureBlock:
    """Frozen embeddings of some inputs side by side, NaN where a cell is absent."""
    return FeatureBlock(EMBEDDED, np.asarray(z_BF, dtype=np.float64), embedded=True)


def read_block(reader: Reader, cells: Cells) -> FeatureBlock:
    """Plain features of one input's cells; media are read in threads."""
    match reader:
        case CategoryReader():
            return FeatureBlock(reader.name, numbers(reader, cells), codes=True, plain=True)
        case NumberReader():
            return FeatureBlock(reader.name, as_they_are(reader, cells), plain=True)
        case ImageReader():
            return FeatureBlock(
                reader.name, media(replace(reader, pixels=PIXELS), cells, of_picture)
            )
        case AudioReader():
            return FeatureBlock(reader.name, media(reader, cells, of_sound))
        case SeriesReader():
            return FeatureBlock(reader.name, media(reader, cells, of_series))
        case Reader(kind="text"):
            return FeatureBlock(reader.name, [as_text(c) for c in cells[reader.name]])
        case Reader(kind="tokens"):
            return FeatureBlock(reader.name, [words_of(c) for c in cells[reader.name]])
        case _:
            return FeatureBlock(reader.name, numbers(reader, cells), plain=reader.kind == "time")


def as_they_are(reader: NumberReader, cells: Cells) -> np.ndarray:
    """Numbers in units of their spread, (B, 1): not bent towards the middle as for a network."""
    x_B = to_numbers(cells[reader.name], cells.decimal)
    with np.errstate(over="ignore", invalid="ignore"):
        z_B = ((to_log(x_B) if reader.log else x_B) - reader.center) / reader.scale
    return np.where(np.isfinite(x_B), np.clip(z_B, -LARGEST, LARGEST), np.nan)[:, None]


def numbers(reader: Reader, cells: Cells) -> np.ndarray:
    """A tabular column's own arrays, (B, F), NaN where absent."""
    read = reader.read(cells)
    x_BF = np.asarray(read.values["x"], dtype=np.float64).reshape(len(read.present), -1)
    x_BF[~read.present] = np.nan
    return x_BF


def media(
    reader: Reader, cells: Cells, features: Callable[[Any, dict[str, np.ndarray]], np.ndarray]
) -> np.ndarray:
    """Statistics of each row's medium, (B, F), NaN where absent; one row is read at a time."""

    def one(row: int) -> np.ndarray | None:
        cell = {c: [cells[c][row]] for c in reader.columns}
        read = reader.read(replace(cells, columns=cell))
        values = {n: a[0] for n, a in read.values.items()}
        return features(reader, values) if read.present[0] else None

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    with ThreadPoolExecutor(max_workers=max(1, min(8, threads))) as pool:
        found = list(pool.map(one, range(len(cells))))
    width = max((len(f) for f in found if f is not None), default=1)
    x_BF = np.full((len(found), width), np.nan)
    for x_F, f in zip(x_BF, found, strict=True):
        if f is not None:
            x_F[:] = f
    return x_BF


def words_of(cell: Any) -> str:
    """The words of a cell however its table writes a list; "" where there is none."""
    words = [] if empty(cell) else to_words(cell)
    return "" if isinstance(words, str) else " ".join(words)


def as_text(cell: Any) -> str:
    """A text cell; "" where there is none."""
    return cell if isinstance(cell, str) else spelled(cell) or ""
