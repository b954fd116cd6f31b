"""Labels, tags and boxes as they are written into cells."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.values import spelled
from modalloy.errors import TableError
from modalloy.readers.text import to_words
from modalloy.readers.vector import to_array

KIND = "object"  # the name of boxes that have none


def to_labels(cell: Any, multi: bool) -> list[str] | None:
    """One name; with `multi` those of a list, JSON text or a;b;c; None where the cell is empty."""
    if not multi:
        name = spelled(cell)
        return None if name is None else [name]
    names = to_names(cell)
    return None if names is None else list(dict.fromkeys(names))


def to_names(cell: Any) -> list[str] | None:
    """Names in their order, None where the cell is empty."""
    if empty(cell):
        return None
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            raise TableError(f"{cell!r:.60} looks like a list of names but is no JSON") from None
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    parts = cell if isinstance(cell, list | tuple) else (spelled(cell) or "").split(";")
    return [n for n in map(spelled, parts) if n is not None]


def is_list(cell: Any) -> bool:
    """Whether a cell holds a list, or a JSON text of one."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return False
    return isinstance(cell, list | tuple | np.ndarray)


def to_tags(cell: Any, cell_on: Any) -> list[str] | None:
    """A BIO tag for each word of another cell, None where either is empty."""
    if empty(cell) or empty(cell_on):
        return None
    tags, words = to_words(cell), to_words(cell_on)
    for found in (tags, words):
        if isinstance(found, str):
            raise TableError(found)
    text = f"{' '.join(words)!r:.60}"
    if len(tags) != len(words):
        raise TableError(f"{len(tags)} tags for the {len(words)} words {text}")
    before = None
    for at, tag in enumerate(tags):
        if tag != "O" and (tag[:2] not in ("B-", "I-") or len(tag) < 3):
            raise TableError(f"tag {tag!r:.60} of {text} is not O, B-... or I-...")
        if tag[0] == "I" and tag[2:] != before:
            raise TableError(
                f"tag {tag} of word {at} of {text} follows no tag of its kind; in BIO a span "
                "begins with B-"
            )
        before = tag[2:]
    return list(tags) or None


def to_boxes(cell: Any) -> dict[str, Any] | None:
    """`boxes` (n, 4) float64 and `names` of a list or JSON text, None where the cell is empty."""
    if empty(cell):
        return None
    boxes = to_array(cell)
    if isinstance(boxes, str):
        raise TableError(boxes)
    if boxes.size == 0:
        return {"boxes": np.zeros((0, 4)), "names": []}
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise TableError(f"{cell!r:.60} is no list of boxes [x1, y1, x2, y2]")
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if not good.all():
        wrong = boxes[~good][0].tolist()
        raise TableError(f"box {wrong} is not [x1, y1, x2, y2] with x1 < x2 and y1 < y2")
    return {"boxes": boxes, "names": [KIND] * len(boxes)}


def to_named_boxes(cell: Any, cell_names: Any) -> dict[str, Any] | None:
    """The boxes of one cell with the names of another."""
    found = to_boxes(cell)
    if found is None:
        return None
    names = to_names(cell_names) or []
    if len(names) != len(found["boxes"]):
        raise TableError(f"{len(names)} names for the {len(found['boxes'])} boxes {cell!r:.60}")
    return {"boxes": found["boxes"], "names": names}


@contextmanager
def named(column: str) -> Iterator[None]:
    """Put the column's name before what is wrong with one of its cells."""
    try:
        yield
    except TableError as error:
        raise TableError(f"column '{column}': {error}") from error
