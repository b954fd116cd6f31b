"""What a network makes of each row, column by column and fused: to compare rows with others."""

from collections.abc import Mapping, Sequence

import numpy as np

from modalloy.answer.answers import View
from modalloy.answer.engine import Decided, Engine
from modalloy.answer.loader import Loader
from modalloy.readers.batch import TABLE, ArrayBatch, Arrays
from modalloy.readers.number import unsquash
from modalloy.readers.series import SeriesReader
from modalloy.unlike.projection import projected

LARGEST = 1000.0  # deviations of a number; more are not told apart
LEAST_SPREAD = 1e-3  # of a channel whose samples are all alike, in its deviations


def view_of(
    engine: Engine, loader: Loader, given: ArrayBatch, said: Decided, pooled: Arrays
) -> View:
    """The view of a batch of which the network says this with nothing hidden.

    A media column is seen as its trunk pools it, in few numbers, where `pooled` has it, (B, F) with
    NaN where there is no cell; else as its encoder's summary, which tasks have made blind for much.
    Each channel of a series is seen by its mean and deviation, too. A number is seen as it is, a
    category by whether training had its name. Times are not seen: tomorrow is always new.
    """
    columns: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}
    for name in (i for i in engine.inputs if i in given.present):
        there = given.present[name]
        if name == TABLE:
            table = [r.name for r in loader.tabular]
            present |= {n: there[:, at] for at, n in enumerate(table)}
            columns |= tabular(loader, given.values[TABLE], there)
            continue
        present[name] = there
        seen = projected(pooled[name]) if name in pooled else said.summaries[name]
        columns[name] = where(there, seen)
        reader = engine.readers[name]
        if isinstance(reader, SeriesReader):
            columns |= channels(reader, loader, given, there)
    names = list(engine.readers)
    nowhere_B = np.zeros(len(given), dtype=bool)
    present_BN = np.stack([present.get(n, nowhere_B) for n in names], axis=1)
    return View(names, present_BN, columns, said.fused_BD)


def tabular(loader: Loader, values: Arrays, present_BN: np.ndarray) -> dict[str, np.ndarray]:
    """Number and category columns, (B, 1) each."""
    found = {}
    count = {"number": 0, "category": 0, "time": 0}
    for at, reader in enumerate(loader.tabular):
        x_B = values[reader.kind][:, count[reader.kind]]
        count[reader.kind] += 1
        if reader.kind == "time":
            continue
        seen_B = x_B == 0 if reader.kind == "category" else unbent(x_B)  # 0: a name never seen
        found[reader.name] = where(present_BN[:, at], seen_B[:, None])
    return found


def unbent(x_B: np.ndarray) -> np.ndarray:
    """Numbers as they were before large ones were bent towards the others for the network."""
    return unsquash(x_B.astype(np.float64)).clip(-LARGEST, LARGEST)


def channels(
    reader: SeriesReader, loader: Loader, given: ArrayBatch, present_B: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean and log10 of the deviation of each channel's samples, (B, 2), by the channel's name.

    They are read anew where the batch holds what a frozen front says of them.
    """
    values: Mapping[str, np.ndarray] = given.values[reader.name]
    if "x" not in values or not {"mask", "seen"} & values.keys():
        values = reader.read(loader.cells(reader.columns, given.rows)).values
    mask_BL = values["mask"] if "mask" in values else values["seen"]
    x_BCL = values["x"]
    found_BC2 = np.full((len(given), reader.channels, 2), np.nan, dtype=np.float32)
    for row in np.flatnonzero(present_B):
        x_CL = x_BCL[row][:, mask_BL[row].astype(bool)].astype(np.float64)
        if x_CL.shape[1]:
            found_BC2[row, :, 0] = x_CL.mean(1)
            found_BC2[row, :, 1] = np.log10(np.maximum(x_CL.std(1), LEAST_SPREAD))
    return {n: found_BC2[:, c] for c, n in enumerate(channel_names(reader))}


def channel_names(reader: SeriesReader) -> list[str]:
    """`column[channel]`: by the channels' columns or their names in the files, else by number."""
    named: Sequence[str] = reader.channel_names or ()
    if len(reader.sources) > 1:
        named = reader.sources
    if len(named) != reader.channels:
        named = [str(c) for c in range(reader.channels)]
    return [f"{reader.name}[{n}]" for n in named]


def where(present_B: np.ndarray, x_BF: np.ndarray) -> np.ndarray:
    """The same with NaN in rows that lack the input."""
    return np.where(present_B[:, None], x_BF, np.nan).astype(np.float32)


def together(parts: Sequence[View], back: np.ndarray) -> View:
    """One view from those of batches, rows in the order asked for."""
    first = parts[0]
    return View(
        first.names,
        np.concatenate([p.present_BN for p in parts])[back],
        {n: np.concatenate([p.columns[n] for p in parts])[back] for n in first.columns},
        np.concatenate([p.fused_BD for p in parts])[back],
    )
