"""What is searched for: a text, a picture, a recording, a row of the table, or rows of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

from modalloy.errors import TableError
from modalloy.readers.reader import Reader

Kind = Literal["text", "image", "audio", "row", "like"]
READ_BY: dict[str, tuple[str, ...]] = {
    "text": ("text", "tokens"),
    "image": ("image",),
    "audio": ("audio",),
}
WORDS = {"text": "text", "image": "picture", "audio": "sound"}


@dataclass(frozen=True)
class Asked:
    """One query: its kind and what was given for it, in words too. column: that reads it, where it
    is a cell.
    """

    kind: Kind
    given: Any
    said: str
    column: str | None = None


def read_query(
    readers: Mapping[str, Reader],
    given: Mapping[Kind, Any],
    *,
    column: str | None,
) -> Asked:
    """The one query that was given, and the column that reads it.

    given: kind -> what was given, None for what was not. TableError without one or with several,
    for an empty text, a file that is not there, and a kind of cell that the run does not read.
    """
    some = {k: v for k, v in given.items() if v is not None}
    if len(some) != 1:
        several = f"{' and '.join(some)} were given" if some else "nothing was"
        raise TableError(
            f"search: say one thing to look for - a text, an image, an audio file, a row or a "
            f"table like which rows are wanted; {several}."
        )
    ((kind, value),) = some.items()
    if kind == "text" and not (isinstance(value, str) and value.strip()):
        raise TableError("search: the text is empty; give words to look for.")
    said = say_given(kind, value)
    if kind in ("image", "audio") and isinstance(value, str | Path):
        if not str(value).strip() or not Path(value).is_file():
            raise TableError(f"search: there is no file '{value}'.")
        value = Path(value).read_bytes()
    if kind in READ_BY:
        return Asked(kind, value, said, reader_of(readers, kind, column))
    if column is not None:
        raise TableError(f"search: column '{column}' says what reads a cell, and no cell is given.")
    return Asked(kind, value, said)


def say_given(kind: Kind, value: Any) -> str:
    """A query in words."""
    match kind:
        case "text":
            return f"text “{value}”"
        case "image" | "audio":
            named = Path(value).name if isinstance(value, str | Path) else "in memory"
            return f"{WORDS[kind]} {named}"
        case "row":
            return f"row {value}"
        case "like":
            return f"rows of {value if isinstance(value, str | Path) else 'a table in memory'}"
        case _:
            assert_never(kind)


def reader_of(readers: Mapping[str, Reader], kind: str, column: str | None) -> str:
    """The column that reads a query; TableError where the run has none, or several."""
    able = [n for n, r in readers.items() if r.kind in READ_BY[kind]]
    if not able:
        reads = {r.kind for r in readers.values()}
        raise TableError(
            f"search: this run reads no {WORDS[kind]} column, so nothing can be looked for by a "
            f"{WORDS[kind]}; its columns are of type {', '.join(sorted(reads))}."
        )
    if column is None and len(able) > 1:
        raise TableError(
            f"search: {len(able)} columns read a {WORDS[kind]}: {', '.join(able)}; say which one "
            "with --column."
        )
    if column is not None and column not in able:
        raise TableError(
            f"search: column '{column}' reads no {WORDS[kind]}; {' and '.join(able)} "
            f"{'does' if len(able) == 1 else 'do'}."
        )
    return column or able[0]


def refuse_unsearchable(
    asked: Asked, against: str | None, inputs: Sequence[str], *, aligned: bool, source: str
) -> None:
    """TableError where vectors of the query and of what it is compared with have nothing in common.

    aligned: the run has a space for all columns; without one, a column's vectors can be compared
    with that column's alone, and whole rows with whole rows.
    """
    if against is not None and against not in inputs:
        raise TableError(
            f"search: nothing can be compared with '{against}'; this index has {', '.join(inputs)} "
            "and whole rows."
        )
    if aligned or asked.column == against:
        return
    own = "whole rows" if asked.column is None else f"column '{asked.column}'"
    other = "whole rows" if against is None else f"column '{against}'"
    raise TableError(
        f"search: {source} has no space for all columns, so {own} cannot be compared with {other}: "
        "without one a query finds its own column alone. Pretrain with `contrast` to get one."
    )
