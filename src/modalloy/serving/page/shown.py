"""Cells of a row as the page shows them: HTML with pictures, players and curves in it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import empty

PIXELS = 320  # of the longer side of a picture


def shown_cells(loader: Loader, row: int, *, pixels: int = PIXELS) -> list[dict[str, Any]]:
    """Name and HTML of each cell that is read of a row; None where there is no cell.

    The HTML is ours, what cells hold is escaped in it; it runs nothing and fetches nothing.
    """
    return list(_shown(loader, row, pixels))


def _shown(loader: Loader, row: int, pixels: int) -> Iterator[dict[str, Any]]:
    from modalloy.report.show import show_cell  # draws, which answering does without

    columns = list(dict.fromkeys(c for r in loader.readers.values() for c in r.columns))
    cells = loader.cells(columns, np.array([row]))
    for name, reader in loader.readers.items():
        if name in loader.hidden:
            continue
        if all(empty(cells[column][0]) for column in reader.columns):
            yield {"name": name, "html": None}
        else:
            yield {"name": name, "html": str(show_cell(reader, cells, 0, pixels=pixels))}
