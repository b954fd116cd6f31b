"""How a text file writes its table: encoding, separator, the lines above the heading, the names."""

import codecs
import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from modalloy.errors import TableError
from modalloy.machine.encodings import GB18030, chinese_in, read_as

LOOKED_AT = 1 << 18  # bytes that a file is judged by
ROWS = 60  # rows of them
SEPARATORS = (",", ";", "\t", "|")
NOT_UTF8 = (
    "holds letters that are not UTF-8 (an older Windows encoding?). Save the file as UTF-8, in "
    "Excel as 'CSV UTF-8'."
)
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # as Arrow sees lines
DECIMAL = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?\s*")
# A unit as people write it under or behind a name: bare only where it is one of the usual ones.
BARE_UNITS = {
    "%", "‰", "°", "°C", "°F", "K", "bar", "mbar", "Pa", "hPa", "kPa", "MPa", "GPa", "N", "kN",
    "MN", "Nm", "kNm", "mm", "cm", "m", "km", "µm", "um", "nm", "s", "ms", "µs", "us", "min",
    "h", "d", "Hz", "kHz", "MHz", "rpm", "1/min", "min-1", "U/min", "V", "mV", "kV", "A", "mA",
    "µA", "W", "kW", "MW", "J", "kJ", "kWh", "kg", "g", "mg", "t", "l", "ml", "l/min", "l/h",
    "m3", "m³", "m3/h", "m³/h", "m/s", "m/s2", "m/s²", "m/min", "mm/s", "g/s", "kg/h", "dB",
    "ppm", "pH", "Ohm", "kOhm", "Ω", "€", "$", "EUR", "USD", "pcs", "Stk",
}  # fmt: skip
BRACKETED = re.compile(r"\[[^\[\]]{0,12}\]|\([^()]{0,12}\)")


class Dialect(NamedTuple):
    """How to read a delimited file.

    names: one a column, "" for a column without. lines: lines above the first row of cells. notes:
    sentences about what was taken for what.
    """

    encoding: str
    separator: str
    names: list[str]
    lines: int
    notes: tuple[str, ...] = ()


def read_dialect(path: Path, *, tab: bool) -> Dialect:
    """Judge a file by its first 256 KB; see `Dialect`. Raises TableError where there is no heading.

    A first line `sep=;` says the separator. Otherwise it is that of `, ; tab |` which parts most
    lines into as many cells as the heading has; of a `.tsv`, the tab. The heading is the first line
    with as many cells as most lines have; comment lines (`#`) and titles above it are left out, as
    is a line of units below it, and all of them are named in `notes`.
    """
    text, encoding, notes = _first_text(path)
    cut = len(text.encode(encoding)) >= LOOKED_AT - 4
    lines = LINE.findall(text)
    told = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE) if lines else None
    above = 1 if told else 0
    comments = above
    while comments < len(lines) and lines[comments].startswith("#"):
        comments += 1
    separator = told[1] if told else "\t" if tab else _separator(lines[comments:])
    rows = parsed(lines[comments:], separator, cut=cut)
    if not rows:
        raise TableError(f"{path}: the file is empty: no header, no columns.")
    at = heading_row([cells for _, cells in rows])
    names, used = rows[at][1], comments + rows[at][0]
    commented = _commented_heading(lines[above:comments], separator, rows[at][1])
    if commented is not None:
        names, used = commented, comments + (rows[at - 1][0] if at else 0)
    skipped = [line.strip() for line in lines[above : comments - (commented is not None)]]
    skipped += [" ".join(filter(None, cells)) for _, cells in rows[:at]]
    if skipped := [s for s in skipped if s]:
        shown = f"{skipped[0]!r:.60}" + (" ..." if len(skipped) > 1 else "")
        what = "line" if len(skipped) == 1 else "lines"
        notes.append(f"{len(skipped)} {what} above the heading left out: {shown}")
    below = rows[at + (commented is None) :]
    if below and units_row([cells for _, cells in below], len(names)):
        used = comments + below[0][0]
        notes.append(
            f"a line of units below the heading is left out: {' '.join(below[0][1])!r:.60}"
        )
        below = below[1:]
    wider = min((len(cells) for _, cells in below[:ROWS]), default=0) - len(names)
    blank_end = all(not any(map(str.strip, cells[len(names) :])) for _, cells in below)
    if wider > 0 and blank_end:  # every row ends in a separator more than the heading
        names = [*names, *[""] * wider]
    return Dialect(encoding, separator, names, used, tuple(notes))


def heading_row(rows: list[list[str]]) -> int:
    """Which row is the heading: the first that is filled about as far as most rows are.

    A title or a list of settings above it fills less than half of that. The first name may be
    absent: it is that of the row numbers which some programs write.
    """
    filled = [sum(bool(c.strip()) for c in cells) for cells in rows[:ROWS]]
    filled = [n + (n > 0 and not r[0].strip()) for n, r in zip(filled, rows, strict=False)]
    most = sorted(filled)[len(filled) // 2]
    width = Counter(len(cells) for cells in rows[:ROWS]).most_common(1)[0][0]
    if most < 2 or width < 2:
        return next((i for i, n in enumerate(filled) if n), 0)
    wide = (i for i, n in enumerate(filled) if n >= max(2, most / 2))
    beyond = (i for i in wide if not any(map(str.strip, _beyond(rows[i + 1 :], len(rows[i])))))
    return next(beyond, filled.index(max(filled)))


def _beyond(rows: list[list[str]], width: int) -> list[str]:
    """The cells that most rows have behind these columns; a single row of another length is bad."""
    longer = [r[width:] for r in rows[:ROWS] if len(r) > width]
    return [c for r in longer for c in r] if len(longer) > len(rows[:ROWS]) / 2 else []


def units_row(rows: list[list[str]], width: int) -> bool:
    """Whether the first row below a heading holds the units of the columns, not cells.

    Each of its cells is empty, `-` or a unit, at least one is a unit, and stands above numbers.
    """
    first, rest = rows[0], rows[1:ROWS]
    if len(first) != width or not rest:
        return False
    cells = [c.strip() for c in first]
    units = [c in BARE_UNITS or BRACKETED.fullmatch(c) is not None for c in cells]
    if not any(units) or not all(u or c in ("", "-") for u, c in zip(units, cells, strict=True)):
        return False
    above = [
        [r[i] for r in rest if i < len(r) and r[i].strip()] for i, unit in enumerate(units) if unit
    ]
    return any(below and all(NUMBER.fullmatch(c) for c in below) for below in above)


def parsed(lines: list[str], separator: str, *, cut: bool = False) -> list[tuple[int, list[str]]]:
    """The first rows, each with the number of lines up to its end; not the last of a cut text."""
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator)
    rows = []
    try:
        for cells in reader:
            rows.append((reader.line_num, cells))
            if len(rows) > ROWS:
                break
    except csv.Error:  # a quoted cell beyond what was looked at, or a NUL
        pass
    whole = rows[:-1] if cut and len(rows) > 2 else rows
    while whole and not any(c.strip() for c in whole[0][1]):
        whole = whole[1:]
    return whole


def _first_text(path: Path) -> tuple[str, str, list[str]]:
    """The file's first characters, its encoding, and what is to be said of that.

    The encoding is judged by the first piece of the file that holds more than ASCII.
    """
    with pa.input_stream(str(path), compression="detect") as file:
        data = telling = file.read(LOOKED_AT)
        while telling.isascii() and (further := file.read(LOOKED_AT)):
            telling = further
        ended = not file.read(1)
    if data.startswith(UTF16):
        return data[: len(data) // 2 * 2].decode("utf-16", errors="replace"), "utf-16", []
    if read_as(telling, ended=ended) == GB18030:
        note = f"not UTF-8; read as GB18030, as Chinese is written: {chinese_in(telling)}"
        return data.decode(GB18030, errors="replace"), GB18030, [note]
    text = data.decode("utf-8-sig", errors="replace")
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if "�" in header and "�".encode() not in data[: 4 * len(header)]:
        raise TableError(f"{path}: the header {NOT_UTF8}")
    return text, "utf8", []


def _separator(lines: list[str]) -> str:
    """The separator that parts most rows into as many cells as the heading has, a comma by default.

    Of two that do so equally well, the one that gives more cells.
    """
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) > 1 and all(map(DECIMAL.fullmatch, filled[1:])) and "," not in filled[0]:
        return ";"  # one column of decimal commas
    best, found = (0.0, 0), ","
    for separator in SEPARATORS:
        rows = [cells for _, cells in parsed(lines, separator)]
        widths = [len(cells) for cells in rows if any(map(str.strip, cells))]
        if not widths:
            continue
        width = len(rows[heading_row(rows)])
        score = (round(widths.count(width) / len(widths), 2), width)
        if width > 1 and score > best:
            best, found = score, separator
    return found


def _commented_heading(comments: list[str], separator: str, first: list[str]) -> list[str] | None:
    """The names in the last comment line (`# time,load`), where no other line holds names."""
    if not comments or not all(NUMBER.fullmatch(c) for c in first if c.strip()):
        return None
    rows = parsed([comments[-1].lstrip("# ")], separator)
    names = rows[0][1] if rows else []
    return [n.strip() for n in names] if len(names) == len(first) > 1 else None
