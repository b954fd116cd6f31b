"""What a run reads: each table column with its kind, unit, range or names, and an example cell.

Examples are made from what the run knows of its columns, never from a row that it learned from.
"""

import base64
import io
import math
import wave
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np

from modalloy.job import config
from modalloy.job.inputs import heard, input_columns, kept_together
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.series import SeriesReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import VectorReader
from modalloy.runs.run import Run

Kind = Literal[
    "number", "category", "time", "text", "tokens", "vector", "image", "audio", "series", "any"
]
MEDIA = ("image", "audio", "series")  # kinds whose cells may be files
NAMES = 200  # names of a category that are told


@dataclass(frozen=True)
class Column:
    """A table column that a run reads. low, high: of a number in training. names: of a category.
    length: numbers of a vector; channels: of a series. needed: whether a row must name it. read:
    whether the model reads it; else it only says which rows belong together.
    """

    name: str
    kind: Kind
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()
    length: int | None = None
    channels: int | None = None
    needed: bool = True
    read: bool = True
    example: Any = field(default=None, repr=False)

    def told(self) -> dict[str, Any]:
        """As JSON, without what does not apply."""
        found = {k: v for k, v in vars(self).items() if v not in (None, (), "")}
        return found | {"names": list(self.names[:NAMES])} if self.names else found


def columns_of(run: Run) -> dict[str, Column]:
    """Every table column that a run reads, by name; those that only order a history among them,
    and those that say which rows belong together, which a row need not name."""
    found: dict[str, Column] = {}
    spoken = heard(run.job)
    for name, columns in input_columns(run.job).items():
        if name in spoken:
            audio = spoken[name]
            found.setdefault(audio, Column(audio, "audio", example=tone()))
            continue
        for column in columns:
            one = column_of(run, name, column, needed=name not in run.hidden)
            if column not in found or found[column].kind == "any":
                found[column] = one
    for column in grouping(run.job):
        found.setdefault(column, Column(column, "any", needed=False, read=False))
    return found


def grouping(job: config.Job) -> list[str]:
    """Columns that no input reads, by which rows are parted when a served model is refreshed."""
    typed = [name for name, options in job.columns.items() if isinstance(options, config.Group)]
    timed = [] if job.split.time is None else [job.split.time]
    return list(dict.fromkeys([*kept_together(job), *typed, *timed]))


def column_of(run: Run, name: str, column: str, *, needed: bool) -> Column:
    """One of the columns that an input reads."""
    options, reader = run.job.columns[name], run.readers[name]
    unit = getattr(options, "unit", None)
    match reader:
        case NumberReader():
            low, high = reader.span
            return Column(column, "number", unit, low, high, needed=needed, example=middle(reader))
        case CategoryReader():
            example = reader.names[0] if reader.names else "a name"
            return Column(column, "category", names=reader.names, needed=needed, example=example)
        case TimeReader():
            return Column(column, "time", needed=needed, example=day_of(reader))
        case VectorReader():
            example = [round(c, 3) for c in reader.center]
            return Column(column, "vector", length=reader.length, needed=needed, example=example)
        case SeriesReader():
            return series_column(options, reader, column, needed=needed)
    match options:
        case config.Image():
            return Column(column, "image", needed=needed, example=picture(options.pixels))
        case config.Audio():
            return Column(column, "audio", needed=needed, example=tone())
        case config.Tokens():
            return Column(column, "tokens", needed=needed, example=["some", "words"])
        case config.Text():
            return Column(column, "text", needed=needed, example="some words")
    return Column(column, "any", needed=needed)


def series_column(options: Any, reader: SeriesReader, column: str, *, needed: bool) -> Column:
    """A column of samples; of a history, the numbers that it is made of, and what orders them."""
    if reader.history and column not in reader.sources:
        return Column(column, "any", needed=needed, example=0)
    if reader.history or (column == options.rpm and column not in reader.sources):
        known = column in reader.sources
        at = reader.center[reader.sources.index(column)] if known else 0.0
        return Column(column, "number", needed=needed, example=plain(at))
    count = 1 if len(reader.sources) > 1 else reader.channels
    first = reader.sources.index(column) if len(reader.sources) > 1 else 0
    rows = [[plain(c)] * 8 for c in reader.center[first : first + count]]
    example = rows[0] if count == 1 else rows
    return Column(column, "series", channels=count, needed=needed, example=example)


def example_row(columns: Mapping[str, Column]) -> dict[str, Any]:
    """One row as a client may send it."""
    return {name: column.example for name, column in columns.items()}


def middle(reader: NumberReader) -> float:
    """A number from the middle of what training had."""
    low, high = reader.span
    return plain((low + high) / 2)


def plain(x: float) -> float:
    """A number of few digits."""
    return float(f"{x:.3g}") if math.isfinite(x) else 0.0


def day_of(reader: TimeReader) -> str:
    """The first day of training, at noon."""
    return (datetime.fromordinal(int(reader.edges[0])) + timedelta(hours=12)).isoformat()


def data_address(kind: str, data: bytes) -> str:
    """Bytes as a `data:` text, the way that a cell holds a file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture(pixels: int) -> str:
    """A small grey PNG."""
    from PIL import Image

    out = io.BytesIO()
    side = min(pixels, 8)
    Image.new("L", (side, side), 128).save(out, "PNG")
    return data_address("image/png", out.getvalue())


def tone() -> str:
    """A hundredth of a second of a WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = 8000 * np.sin(2 * np.pi * 440 * np.arange(80) / 8000)
        file.writeframes(samples.astype("<i2").tobytes())
    return data_address("audio/wav", out.getvalue())
