"""The first lines of a file of samples in; its separator, decimal sign, heading and units out."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modalloy.errors import TableError
from modalloy.table.marks import says_nothing

HEAD_BYTES = 1 << 20
LOOKED_AT = 200  # lines that the layout is read from
SEPARATORS = (";", "\t", ",", "|", " ")
COMMENTS = ("#", "%", "//")
POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?(\d+(\.\d{3})*,\d+|,\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
WORDS = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
MOMENT = re.compile(r"[\d\-/.:T +Z]*(\d[-/.:]\d)[\d\-/.:T +Z]*")
UNIT = re.compile(
    r"\[.*\]|\(.*\)|-|%|°|°?[CFK]|deg[CFK]?|grad|rad|[munµ]?s|sec|min|h|[kMG]?Hz|[mkM]?N(m|/mm2|/mm²)?"
    r"|[munµk]?V|[munµ]?A|[mkM]?W|[mc]?bar|[hkMG]?Pa|[munµkc]?m(/s(2|²|\^2|/s)?)?|g|[munµk]g|rpm"
    r"|1/min|U/min|dB(\(A\))?|l/min|m[3³]/h|mm/s(2|²)?|counts?|[kM]?Ohm|Ω|ppm|T|mT|J|kJ",
)


class Layout(NamedTuple):
    """How a file is written.

    first: its first line of samples, counted from 0. names: its heading, a name a column, None
    without one; units stand in brackets behind their names. decimal, thousands: the signs in its
    numbers. first_cells: the first line of samples as it is written.
    """

    encoding: str
    separator: str
    first: int
    width: int
    names: list[str] | None
    decimal: str
    thousands: str | None
    first_cells: tuple[str, ...]


def read_layout(path: Path) -> Layout:
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
    separator = said[1] if said else max(SEPARATORS, key=lambda s: _fitness(samples, s))
    separator, width = _one_column(separator, lines[filled[0]], samples)
    told = _numeric(samples, separator)
    if not told:
        raise TableError(f"{path} holds no column of numbers")
    first = _first(lines, filled, separator, told)
    if first is None:
        raise TableError(f"{path} holds no samples")
    data = [split_line(lines[i], separator) for i in filled if i >= first]
    decimal, thousands = _signs(path, data)
    ends_empty = not any(row[width - 1 :][:1] not in ([], [""]) for row in data)
    names = _heading(path, lines[:first], separator, width, ends_empty=ends_empty)
    return Layout(encoding, separator, first, width, names, decimal, thousands, tuple(data[0]))


def split_line(line: str, separator: str) -> list[str]:
    """The cells of a line, without the blanks and quotation marks around them."""
    if separator == " ":
        return line.split()
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [cell.strip() for cell in cells]


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    return any(p.fullmatch(cell) for p in (POINT, COMMA, THOUSANDS, WORDS))


def is_moment(cell: str) -> bool:
    """Whether a cell is a date or a time of day."""
    return MOMENT.fullmatch(cell) is not None


def _decoded(head: bytes) -> tuple[str, str]:
    """The name of an encoding, and the text in it."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head.decode("utf-16", "ignore")
    try:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        return "utf-8-sig", decoder.decode(head)
    except UnicodeDecodeError:  # an older Windows: µ and ° in headings
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


def _one_column(separator: str, heading: str, lines: Sequence[str]) -> tuple[str, int]:
    """The separator and the number of columns; one column of decimal commas needs no separator."""
    width = _width([split_line(line, separator) for line in lines])
    alone = separator == "," and "," not in heading and not is_number(heading.strip())
    if alone and all(COMMA.fullmatch(line.strip()) or line.strip().isdigit() for line in lines):
        return ";", 1
    return separator, width


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


def _signs(path: Path, rows: Sequence[Sequence[str]]) -> tuple[str, str | None]:
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


# --- heading -----------------------------------------------------------------------------------


def _heading(
    path: Path, lines: Sequence[str], separator: str, width: int, *, ends_empty: bool
) -> list[str] | None:
    """The names above the samples, with units behind them; None without a heading."""
    found: list[list[str]] = []
    for line in reversed(lines):
        bare = line
        for mark in COMMENTS:
            bare = bare.removeprefix(mark)
        if not bare.strip(f" {separator}"):
            continue
        row = split_line(bare.strip() if separator == " " else bare, separator)
        fitted = _fitted(row, width, ends_empty=ends_empty, comment=bare != line)
        if fitted:
            found.append(fitted)
        elif not found and bare == line and len(row) > 1:
            raise TableError(
                f"{path}: the heading has {len(row)} names ({', '.join(row[:4])}) and its samples "
                f"{width} cells a line; are there decimal commas between commas?"
            )
    if not found:
        return None
    units = _is_units(found[0]) and len(found) > 1 and not _is_units(found[1])
    names, below = (found[1], found[0]) if units else (found[0], [])
    if (
        len(found) > 1
        and not units
        and sum(map(is_number, names))
        and not any(map(is_number, found[1]))
    ):
        strange = next(c for c in names if not is_number(c))
        raise TableError(f"{path}: {strange!r:.40} below the heading is no number; empty the cell")
    return _distinct([_with_unit(n, u) for n, u in zip(names, below or [""] * width, strict=True)])


def _fitted(row: list[str], width: int, *, ends_empty: bool, comment: bool) -> list[str] | None:
    """A row above the samples with a name for each column, or None if it is no heading."""
    if len(row) == width + 1 and not row[-1]:
        row = row[:-1]
    if len(row) == width - 1 and width > 1 and not comment:
        # R names no column of row names; some programs end each line of samples with a separator.
        row = [*row, ""] if ends_empty else ["", *row]
    return row if len(row) == width else None


def _is_units(row: Sequence[str]) -> bool:
    filled = [c for c in row if c]
    return bool(filled) and all(UNIT.fullmatch(c) for c in filled)


def _with_unit(name: str, unit: str) -> str:
    bare = unit.strip("[]() ")
    return f"{name} [{bare}]" if name and bare and bare != "-" else name


def _distinct(names: Sequence[str]) -> list[str]:
    """The same names, a number behind those that were there before."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return out
