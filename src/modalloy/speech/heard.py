"""Text columns that are heard: a table with the words of its recordings beside them."""

import functools
import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.errors import JobError, RunError, TableError
from modalloy.job import config
from modalloy.job.inputs import heard
from modalloy.machine.files import write_safely
from modalloy.machine.limits import cache_folder
from modalloy.machine.progress import Bar
from modalloy.media.blob import Blob, File
from modalloy.media.media import source_of
from modalloy.media.sound import read_audio
from modalloy.readers.audio import resample
from modalloy.table.table import Table

if TYPE_CHECKING:
    from modalloy.speech.whisper import Whisper

RECIPE = "whisper_tiny_en-1"  # what has made a kept text: a change of how it is heard names another
AT_ONCE = 16  # recordings that are held at a time
TOLD = 3  # faults that are told


def with_heard(
    table: Table,
    job: config.Job,
    *,
    hidden: Collection[str] = (),
    part: slice | np.ndarray | None = None,
    quiet: bool = True,
) -> Table:
    """The table with a column of texts for each `from_audio` of a job; the same where it has none.

    A column of recordings that the table lacks is left to whoever looks for columns. hidden: text
    columns that nobody reads. part: the rows that are asked for, by
    position, all of them for None. JobError
    where the table has a column of a heard text's name already; TableError for a recording that
    cannot be read, where the job refuses such.
    """
    for name, audio in heard(job).items():
        if name in hidden or audio not in table.columns:
            continue
        if name in table.columns:
            raise JobError(
                f"columns.{name}.from_audio: {table.source} has a column '{name}' already; give "
                "the text that is heard another name, or leave from_audio out to read that column."
            )
        texts, faults = transcripts(table, audio, job, part, quiet=quiet)
        notes = ()
        if faults:
            told = "; ".join(f"row {row}: {why}" for row, why in faults[:TOLD])
            notes = (
                f"column '{name}': {len(faults)} of the recordings in '{audio}' cannot be read and "
                f"count as missing ({told}{'; ...' if len(faults) > TOLD else ''})",
            )
        table = table.beside(name, texts, notes)
    return table


def transcripts(
    table: Table, column: str, job: config.Job, part: slice | np.ndarray | None, *, quiet: bool
) -> tuple[list[str | None], list[tuple[int, str]]]:
    """What is said in each row's recording, None where there is none, and rows with a broken one.

    A recording that comes again, in the table or in another one, is heard once.
    """
    cells = table.written(column)
    texts: list[str | None] = [None] * len(cells)
    faults: list[tuple[int, str]] = []
    asked = np.arange(len(cells))[slice(None) if part is None else part].tolist()
    rows = [row for row in asked if not empty(cells[row])]
    with Bar(f"listening to {column}", len(rows), quiet=quiet) as bar:
        for some in parts(rows, AT_ONCE):
            found = listen([cells[row] for row in some], table.folder, job.allow_outside)
            for row, said in zip(some, found, strict=True):
                if isinstance(said, str):
                    texts[row] = said or None
                    continue
                if job.unreadable == "refuse":
                    raise TableError(
                        f"{table.source}: column '{column}', row {row}: {said}. Mend the file, or "
                        "set unreadable: missing to train without such cells."
                    ) from said
                faults.append((row, str(said)))
            bar.advance(len(some))
    return texts, faults


def listen(cells: Sequence[Any], folder: Path, allow_outside: bool) -> list["str | TableError"]:
    """The text of each recording, kept or heard now; what is wrong with one that cannot be read."""
    places: list[Path | TableError] = []
    known: dict[Path, str | TableError] = {}
    waves: dict[Path, np.ndarray] = {}
    for cell in cells:
        try:
            file = source_of(cell, folder, allow_outside).file
        except TableError as error:
            places.append(error)
            continue
        places.append(place := kept_place(file))
        if place in known or place in waves:
            continue
        kept = kept_text(place)
        try:
            if kept is None:
                sound = read_audio(file)
                waves[place] = resample(sound.wave, sound.rate_hz, network().rate_hz)
            else:
                known[place] = kept
        except TableError as error:
            known[place] = error
    said = network().texts(list(waves.values())) if waves else []
    for place, text in zip(waves, said, strict=True):
        known[place] = text
        keep(place, text)
    return [place if isinstance(place, TableError) else known[place] for place in places]


def kept_place(file: File) -> Path:
    """Where the text of a recording is kept: by the file's content, wherever it lies."""
    data = file.data if isinstance(file, Blob) else file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return cache_folder() / "transcripts" / f"{RECIPE}-{digest}.txt"


def kept_text(place: Path) -> str | None:
    """A text that was heard before."""
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def keep(place: Path, text: str) -> None:
    """Keep a text where the user's cache folder can be written; else it is heard anew."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_safely(place, text.encode())
    except (OSError, RunError):
        return


def parts(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """So many at a time."""
    return (rows[i : i + size] for i in range(0, len(rows), size))


@functools.cache
def network() -> "Whisper":
    """The network, read when it is first needed."""
    from modalloy.speech.whisper import Whisper

    return Whisper()
