"""How a file of samples is written: separator, decimal sign, heading and units."""

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from modalloy.cells.missing_markers import says_nothing
from modalloy.errors import TableError
from modalloy.machine.encodings import GB18030, read_as
from modalloy.media.blob import File
from modalloy.media.heading import find_heading
from modalloy.media.sample_line import (
    COMMA,
    COMMENTS,
    POINT,
    THOUSANDS,
    has_names,
    is_moment,
    is_number,
    split_line,
)

HEAD_BYTES = 1 << 20
LOOKED_AT = 200  # lines that the layout is read from
SEPARATORS = (";", "\t", ",", "|", " ")
LONE = re.compile(r"[+-]?\d+(,\d+)?")  # an integer, a decimal comma, or two integers
PADDED = re.compile(r"[+-]?\d+,0\d+|-0,\d+")  # no two integers: 0,05 and -0,5
SHORT = 0.1  # share of lines without a comma that two columns of integers may have


class Layout(NamedTuple):
    """How a file is written.

    first: its first line of samples, counted from 0. names: its heading, a name a column, None
    without one; units stand in brackets behind their names. decimal, thousands: the signs in its
    numbers. first_cells: the first line of samples as it is written. notes: what is to be said.
    """

    encoding: str
    separator: str
    first: int
    width: int
    names: list[str] | None
    decimal: str
    thousands: str | None
    first_cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_layout(path: File) -> Layout:
    """How a file of samples is written. Raises TableError where its lines do not fit together."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    encoding, text = _decoded(head)
    lines = re.split(r"\r\n|\r|\n", text)
    lines = (lines if len(head) < HEAD_BYTES else lines[:-1])[:LOOKED_AT]
    said = next((m for line in lines[:1] if (m := re.match(r"sep=(.)\s*$", line, re.I))), None)
    lines = ["", *lines[1:]] if said else lines
    filled = [i for i, line in enumerate(lines) if line.strip() and not line.startswith(COMMENTS)]
    if not filled:
        raise TableError(f"{path} holds no samples")
    # The later half is samples, whatever stands above them.
    samples = [lines[i] for i in filled[len(filled) // 2 :]]
    separator, width = (said[1], 0) if said else _parted(path, lines, filled, samples)
    width = width or _width([split_line(line, separator) for line in samples])
    told = _numeric(samples, separator)
    if not told:
        raise TableError(f"{path} holds no column of numbers")
    first = _first(lines, filled, separator, told)
    if first is None:
        raise TableError(f"{path} holds no samples")
    data = [split_line(lines[i], separator) for i in filled if i >= first]
    ends_empty = not any(row[width - 1 :][:1] not in ([], [""]) for row in data)
    heading = find_heading(path, lines[:first], separator, width, ends_empty=ends_empty)
    at = [
        i
        for i in filled
        if i >= heading.first and not (i < first and lines[i].startswith(COMMENTS))
    ]
    rows = [split_line(lines[i], separator) for i in at]
    for i, row in zip(at, rows, strict=True):
        if any(row[width:]):
            raise too_long(path, i + 1, len(row), width)
    decimal, thousands = _signs(path, data)
    return Layout(
        encoding, separator, heading.first, width, heading.names, decimal, thousands,
        tuple(rows[0]), heading.notes,
    )  # fmt: skip


def too_long(path: File, line: int, cells: int, width: int) -> TableError:
    """The refusal of a line with more cells than columns; its lines count from 1."""
    return TableError(
        f"{path}: line {line} has {cells} cells, the others {width}; take the surplus out, or put "
        "a text that holds the separator in quotation marks"
    )


def _decoded(head: bytes) -> tuple[str, str]:
    """The name of an encoding, and the text in it."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head.decode("utf-16", "ignore")
    try:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        return "utf-8-sig", decoder.decode(head)
    except UnicodeDecodeError:
        if read_as(head, least=1) == GB18030:  # one name of a channel may be all
            return GB18030, head.decode(GB18030, "ignore")
        # an older Windows: µ and ° in headings
        return "cp1252", head.decode("cp1252", "replace")


# --- separator and samples ---------------------------------------------------------------------


def _fitness(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """How much of these lines are numbers and times in columns, and how many columns there are."""
    rows = [split_line(line, separator) for line in lines]
    width = _width(rows)
    cells = [c for row in rows for c in row if c]
    fitting = sum(is_number(c) or is_moment(c) for c in cells) / max(1, len(cells))
    even = sum(len(row) == width for row in rows) / len(rows)
    return round(fitting * even, 3), width


def _width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _parted(
    path: File, lines: Sequence[str], filled: Sequence[int], samples: Sequence[str]
) -> tuple[str, int]:
    """The separator and the number of columns; one column of decimal commas needs no separator."""
    best = max(SEPARATORS, key=lambda s: _fitness(samples, s))
    width = _width([split_line(line, best) for line in samples])
    commas = any("," in line for line in samples)
    lone = commas and all(LONE.fullmatch(line.strip()) for line in samples)
    if not lone or (best != "," and width > 1):
        return best, width
    return (";", 1) if _one_column(path, lines, filled) else (",", 2)


def _one_column(path: File, lines: Sequence[str], filled: Sequence[int]) -> bool:
    """Whether lines such as `1,5` are one number each, and not two integers each.

    The heading tells. Without one, only what cannot be two integers is one number, such as 0,05.
    Raises TableError where many lines lack the comma and nothing tells.
    """
    start = next(i for i in filled if LONE.fullmatch(lines[i].strip()))
    above = [split_line(lines[i], ",") for i in filled if i < start]
    named = [row for row in above if has_names(row)]
    if named:  # as in `find_heading`, a single column has its name first, several have it last
        return all(len(row) == 1 for row in named)
    notes = [split_line(line.lstrip("#%/ "), ",") for line in lines[:start]]
    if any(len(row) == 2 and has_names(row) for row in notes[-1:]):
        return False
    texts = [lines[i].strip() for i in filled if i >= start]
    if any(map(PADDED.fullmatch, texts)):
        return True
    short = [t for t in texts if "," not in t]
    if len(short) > max(1, SHORT * len(texts)):
        raise TableError(
            f"{path}: nothing tells whether the commas part two columns or are decimal signs: some "
            f"lines have one ({next(t for t in texts if ',' in t)}), {len(short)} have none "
            f"({short[0]}); give it a heading"
        )
    return False


def _numeric(lines: Sequence[str], separator: str) -> list[int]:
    """Columns that hold numbers, or nothing, in most of these lines."""
    rows = [split_line(line, separator) for line in lines]
    found = []
    for column in range(_width(rows)):
        cells = [row[column] for row in rows if len(row) > column and not _nothing(row[column])]
        if sum(map(is_number, cells)) >= 0.5 * len(cells):
            found.append(column)
    return found


def _is_data(row: Sequence[str], numeric: Sequence[int]) -> bool:
    """Whether a line holds samples: a number or nothing wherever the others hold numbers."""
    cells = [row[c] if c < len(row) else "" for c in numeric]
    fits = all(_nothing(c) or is_number(c) for c in cells)
    return fits and any(map(is_number, cells))


def _first(
    lines: Sequence[str], filled: Sequence[int], separator: str, numeric: Sequence[int]
) -> int | None:
    """The first line of samples, None without one; lines of gaps above the numbers are samples."""
    rows = [split_line(lines[i], separator) for i in filled]
    first = next((k for k, row in enumerate(rows) if _is_data(row, numeric)), None)
    if first is None:
        return None
    while first > 0 and len(rows[first - 1]) > 1 and not any(rows[first - 1]):
        first -= 1
    return filled[first]


def _nothing(cell: str) -> bool:
    return not cell or says_nothing(cell)


def _signs(path: File, rows: Sequence[Sequence[str]]) -> tuple[str, str | None]:
    """The signs before decimals and between thousands."""
    cells = [c for row in rows for c in row]
    commas = [c for c in cells if COMMA.fullmatch(c)]
    if not commas:
        return ".", None
    points = [c for c in cells if "." in c and POINT.fullmatch(c) and not THOUSANDS.fullmatch(c)]
    if points:
        raise TableError(
            f"{path} mixes decimal commas and points ({commas[0]}, {points[0]}); write one of them"
        )
    between = any("." in c for c in commas) or any(THOUSANDS.fullmatch(c) for c in cells)
    return ",", "." if between else None
