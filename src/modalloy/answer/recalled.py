"""Rows of which a frozen encoder's features are known from earlier runs; the others are read."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from modalloy.answer.by_content import ByContent
from modalloy.readers.batch import Arrays
from modalloy.readers.reader import noted

if TYPE_CHECKING:
    from modalloy.answer.loader import Loader


class Recalled(NamedTuple):
    """known: features of rows that were seen before, by row. read: arrays of all others."""

    known: dict[int, Arrays]
    read: dict[int, Arrays]


def recalled(
    loader: "Loader", name: str, by_content: ByContent | None, rows: np.ndarray
) -> Recalled:
    """What is known of rows by their content, and the cells of those that have to be run.

    A file that was seen before is not decoded. Files whose status says more than where they were
    found are decoded every time, for that status.
    """
    if by_content is None:
        return Recalled({}, dict(zip(rows.tolist(), loader.arrays(name, rows), strict=True)))
    sources = loader.files(name, rows)
    known = by_content.of_files({row: source.file for row, source in sources.items()})
    for row in known:
        loader.status[name].note(np.array([row]), [noted([sources[row].note])])
    rest = np.array([row for row in rows.tolist() if row not in known], dtype=rows.dtype)
    read = dict(zip(rest.tolist(), loader.arrays(name, rest), strict=True)) if len(rest) else {}
    given = {row: arrays for row, arrays in read.items() if arrays["present"].all()}
    usual = {
        row: (sources[row].file, arrays)
        for row, arrays in given.items()
        if row in sources and loader.status[name].get(row, "ok") == noted([sources[row].note])
    }
    by_content.note_files(usual)
    seen = by_content.of_arrays(given)
    return Recalled(known | seen, {row: a for row, a in read.items() if row not in seen})
