"""An attacked batch written back as cells, so that whoever reads a table can answer it.

Pictures become PNG files of the size that the network sees, recordings WAV files, series, lists and
numbers become numbers in their own unit, categories their names. Texts and dates are as they were.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image

from modalloy.attacks.budget import OWN, Budget
from modalloy.attacks.valid_plain import Amount
from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.model.tokens import Batch
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.vector import VectorReader


def written_rows(batch: Batch, readers: Mapping[str, Reader], cells: Cells) -> list[dict[str, Any]]:
    """Each row as its cells by column. cells: of the same rows, as they were written.

    JobError where a series is made from other rows: there is no cell that holds it.
    """
    columns: dict[str, Sequence[Any]] = dict(cells.columns)
    for name, reader in readers.items():
        columns |= written_column(name, reader, batch, readers, cells)
    return [{c: v[i] for c, v in columns.items()} for i in range(len(batch))]


def written_column(
    name: str, reader: Reader, batch: Batch, readers: Mapping[str, Reader], cells: Cells
) -> dict[str, Sequence[Any]]:
    """The table columns that a reader reads, with what the batch holds in them."""
    if reader.kind in TABULAR:
        return {name: written_plain(name, reader, batch, readers, cells)}
    here = batch.present[name].tolist()
    held = {k: v.detach().cpu() for k, v in batch.values[name].items()}
    rows = range(len(batch))
    match reader:
        case ImageReader():
            made = [png(held["pixels"][i]) if here[i] else None for i in rows]
        case AudioReader():
            made = [wav(held, i, reader) if here[i] else None for i in rows]
        case VectorReader():
            x_BF = held["x"].double().numpy() * np.array(reader.scale) + np.array(reader.center)
            made = [x_BF[i].tolist() if here[i] else None for i in rows]
        case SeriesReader():
            return written_series(name, reader, held, here)
        case _:
            return {}
    return {name: made}


def written_plain(
    name: str, reader: Reader, batch: Batch, readers: Mapping[str, Reader], cells: Cells
) -> Sequence[Any]:
    """Cells of a plain column; a name that is as it was stays as it was written."""
    kinds = [[r.name for r in readers.values() if r.kind == k] for k in TABULAR]
    place = [n for names in kinds for n in names].index(name)
    own = kinds[TABULAR.index(reader.kind)].index(name)
    here = batch.present[TABLE][:, place].tolist()
    x = batch.values[TABLE][reader.kind][:, own].detach().cpu()
    if isinstance(reader, NumberReader):
        there = torch.ones(len(x), dtype=torch.bool)
        amounts = Amount(Budget(name, 1.0, OWN), x, there, reader, own).x_B.tolist()
        return [a if h else None for a, h in zip(amounts, here, strict=True)]
    given = cells[name]
    if not isinstance(reader, CategoryReader):
        return given
    was = reader.read(Cells({name: given}, decimal=cells.decimal)).values["x"].tolist()
    now = x.tolist()
    return [
        g if n == w or not h else reader.names[n - 1]
        for g, n, w, h in zip(given, now, was, here, strict=True)
    ]


def written_series(
    name: str, reader: SeriesReader, held: Mapping[str, torch.Tensor], here: Sequence[bool]
) -> dict[str, Sequence[Any]]:
    """Samples in the sensor's unit, a list for each table column."""
    if reader.history:
        raise JobError(
            f"columns.{name}: a series of earlier rows has no cell of its own, so an attacked one "
            "cannot be written into a table."
        )
    center_C1, scale_C1 = np.array(reader.center)[:, None], np.array(reader.scale)[:, None]
    x_BCL = held["x"].double().numpy() * scale_C1 + center_C1
    size_B = held["mask"].sum(1).tolist()
    rows = [x_BCL[i, :, : size_B[i]] if h else None for i, h in enumerate(here)]
    if len(reader.sources) == 1:
        return {reader.sources[0]: [None if x is None else x.tolist() for x in rows]}
    return {
        source: [None if x is None else x[c].tolist() for x in rows]
        for c, source in enumerate(reader.sources)
    }


def png(pixels_CPP: torch.Tensor) -> bytes:
    """A picture as a PNG file."""
    array = pixels_CPP.round().clamp(0, 255).to(torch.uint8).numpy()
    picture = Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def wav(held: Mapping[str, torch.Tensor], row: int, reader: AudioReader) -> bytes:
    """A recording as a WAV file of floats, on the scale of the column's files."""
    wave = held["wave"][row, : int(held["length"][row])].numpy() * np.float32(reader.full or 1.0)
    data = io.BytesIO()
    soundfile.write(data, wave, reader.rate_hz, format="WAV", subtype="FLOAT")
    return data.getvalue()
