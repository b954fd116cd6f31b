"""A table that was uploaded: opened without a folder to find files in, answered in parts."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.table_caveats import Odd
from modalloy.answer.written import counted
from modalloy.checks.finding import Finding, some
from modalloy.errors import RequestError, TableError
from modalloy.job.options import did_you_mean
from modalloy.media.blob import is_bytes
from modalloy.readers.series import names_file
from modalloy.serving.limits import Limits
from modalloy.serving.rows import bounded
from modalloy.serving.schema import MEDIA
from modalloy.serving.served_model import NOWHERE, ServedModel, Told
from modalloy.serving.unpacked import check_unpacked, refuse_rows
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


class Upload:
    """A table in a folder of its own, for one version of the model."""

    def __init__(self, folder: Path, model: ServedModel) -> None:
        self.folder, self.model = folder, model
        self.loader: Loader
        self.found: list[Finding]
        self.odd: dict[str, Odd] = {}
        self.done = 0

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.loader.table.rows

    def tell(self, start: int, count: int) -> Told:
        """Answers to some of its rows."""
        (told,) = self.model.tell_rows(self.loader.anew(), self.found, [count], start)
        said = {name: [cells[name] for cells in told.cells] for name in told.cells[0]}
        self.odd = counted(self.odd, said)
        self.done += count
        return told

    def cells(self, start: int, count: int) -> list[dict[str, Any]]:
        """Some of its rows as they are kept."""
        which = np.arange(start, start + count)
        table = self.loader.table
        names = [n for n in table.columns if n in self.model.columns]
        columns = [list(table.written(n, which)) for n in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def caveats(self) -> list[str]:
        """What is to be said of all rows that were answered."""
        said = self.model.predictor.caveats(self.loader, self.found, self.odd)
        return [one.replace(self.loader.table.source, "the table", 1) for one in said]

    def remove(self) -> None:
        """Take its files away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_upload(upload: Upload, place: Path, limits: Limits) -> Upload:
    """Open its table; TableError or RequestError for one that is broken or too large, lacks
    columns, or names files.
    """
    try:
        if place.suffix == ".parquet":
            check_unpacked(place, limits)
        table = open_table(place, folder=NOWHERE)
    except TableError as error:
        raise RequestError(str(error).replace(str(place), "the table")) from error
    refuse_rows(table.rows, limits)
    columns = upload.model.columns
    lacking = [n for n, c in columns.items() if c.needed and n not in table.columns]
    if lacking:
        near, several = did_you_mean(lacking[0], table.columns), len(lacking) > 1
        raise RequestError(
            f"the table lacks {'the columns' if several else 'column'} "
            f"{some(map(repr, lacking), 8)}; add {'them' if several else 'it'}, empty where there "
            f"is no cell.{near}"
        )
    for name, column in columns.items():
        if column.kind in MEDIA and name in table.columns:
            refuse_paths(table, name)
        elif name in table.columns:
            refuse_long(table, name, limits)
    upload.loader, upload.found = upload.model.open(table)
    return upload


def refuse_paths(table: Table, name: str) -> None:
    """RequestError where a column of files names one: no path in a request is ever opened."""
    for row, cell in enumerate(table.written(name)):
        if names_file(cell) and not is_bytes(cell) and not holds_bytes(cell):
            raise RequestError(
                f"row {row}, column '{name}': holds a text. No path in a request is ever opened; "
                "send a Parquet table whose cells are the bytes of files."
            )


def refuse_long(table: Table, name: str, limits: Limits) -> None:
    """RequestError where a text is so long that all other requests would wait for its answer."""
    if table.kind(name) != "text":
        return
    for row, cell in enumerate(table.written(name)):
        if isinstance(cell, str):
            bounded(cell, f"row {row}, column '{name}'", limits)


def holds_bytes(cell: Any) -> bool:
    """Whether a cell is a file's bytes as Hugging Face writes them."""
    return isinstance(cell, dict) and is_bytes(cell.get("bytes")) and not cell.get("path")
