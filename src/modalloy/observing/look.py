"""Looks at rows of a table as a run reads them: their cells, and what encoders make of them."""

from collections.abc import Sequence

import numpy as np

from modalloy.answer.answers import View
from modalloy.answer.loader import Loader
from modalloy.cells.numbers import to_numbers
from modalloy.observing.media import describe, text
from modalloy.observing.seen import TOGETHER, Feature, Seen
from modalloy.readers.batch import TABLE
from modalloy.readers.text import TextReader
from modalloy.unlike.projection import projected

AT_ONCE = 64  # rows whose media are decoded together


def look(loader: Loader, which: np.ndarray, view: View, described: np.ndarray) -> Seen:
    """What is watched of these rows but for their answers.

    view: what the network makes of them. described: the positions among them whose pictures,
    recordings, series and texts are decoded to be described; of others these numbers are NaN.
    """
    numbers: dict[Feature, np.ndarray] = {}
    names: dict[str, np.ndarray] = {}
    vectors = {TOGETHER: projected(view.fused_BD)} if len(view.names) > 1 else {}
    for reader in loader.tabular:
        if reader.name in loader.hidden:
            continue
        cells = loader.cells(reader.columns, which)
        if reader.kind == "number":
            x_B = to_numbers(cells[reader.name], cells.decimal)
            numbers[Feature(reader.name)] = np.where(np.isfinite(x_B), x_B, np.nan)
        elif reader.kind == "category":
            read = reader.read(cells)
            names[reader.name] = np.where(read.present, read.values["x"], -1)
    for name in (n for n in loader.inputs if n != TABLE and n in view.columns):
        vectors[name] = projected(view.columns[name])
        numbers |= descriptions(loader, name, which, described)
    present = {n: view.present_BN[:, at] for at, n in enumerate(view.names)}
    present = {n: there for n, there in present.items() if n not in loader.hidden}
    return Seen(len(which), present, numbers, names, vectors)


def descriptions(
    loader: Loader, name: str, which: np.ndarray, described: np.ndarray
) -> dict[Feature, np.ndarray]:
    """What `media.py` says of the cells of a column, NaN in rows that lack one."""
    reader = loader.readers[name]
    found: dict[Feature, np.ndarray] = {}

    def put(at: int, column: str, said: dict[str, float]) -> None:
        for of, x in said.items():
            blank_B = found.setdefault(Feature(column, of), np.full(len(which), np.nan))
            blank_B[at] = np.float32(x)  # as a run keeps it: equal numbers stay equal

    for start in range(0, len(described), AT_ONCE):
        some = described[start : start + AT_ONCE]
        if isinstance(reader, TextReader):
            cells = loader.cells(reader.columns, which[some])
            there = reader.read(cells).present
            for at, cell, present in zip(some, cells[name], there, strict=True):
                if present:
                    put(int(at), name, text(reader, cell))
            continue
        for at, arrays in zip(some, loader.arrays(name, which[some]), strict=True):
            if arrays["present"][0]:
                for column, said in describe(reader, arrays).items():
                    put(int(at), column, said)
    return found


def some_of(rows: int, most: int, draw: np.random.Generator) -> np.ndarray:
    """At most so many positions of so many rows, ascending, by chance."""
    return np.sort(draw.choice(rows, most, replace=False)) if rows > most else np.arange(rows)


def spread_over(rows: int, most: int) -> np.ndarray:
    """At most so many positions of so many rows, evenly spread, so that their order is kept."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))


def media_columns(loader: Loader) -> Sequence[str]:
    """Inputs whose cells are looked at by an encoder of their own."""
    return [n for n in loader.inputs if n != TABLE and n not in loader.hidden]
