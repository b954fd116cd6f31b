"""Rows at the end of a file that grows: whole lines alone, numbered from the file's first."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import TableError
from modalloy.following.journal import Place
from modalloy.table.dialect import NOT_UTF8, read_dialect

CSV, JSONL = (".csv", ".tsv"), (".jsonl", ".ndjson")
START = 4096  # bytes by which a file is known
MOST = 4 << 20  # bytes that are taken in at once
LONGEST = 64 << 20  # bytes of a line; more is no line of a table


class Arrived(NamedTuple):
    """Numbered rows, and how far the file is taken in with them. more: whether there may be others.
    faults: numbers of rows that hold no row, and why.
    """

    rows: list[tuple[int, Mapping[str, Any]]]
    place: Place
    more: bool
    faults: dict[int, str]


def start_of(path: Path, length: int) -> str:
    """By what a file is known: its first bytes, of those that were taken in."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(min(length, START))).hexdigest()


def same_file(path: Path, place: Place) -> bool:
    """Whether a file is the one that was taken in so far, longer or as it was."""
    return path.stat().st_size >= place.bytes and start_of(path, place.bytes) == place.start


def first_place(path: Path) -> Place | None:
    """Where the rows of a file begin; None while its heading is not written whole.

    Raises TableError for a file without a heading, or in another encoding than UTF-8.
    """
    if path.suffix.lower() in JSONL:
        return Place(0, 0, {}, start_of(path, 0))
    with open(path, "rb") as file:
        data = file.read(MOST)
    if not data.strip():
        return None
    dialect = read_dialect(path, tab=path.suffix.lower() == ".tsv")
    if dialect.encoding != "utf8":
        written = dialect.encoding.upper()
        raise TableError(f"{path}: is written in {written}; a file that is followed must be UTF-8.")
    if repeated := [n for n in dialect.names if n and dialect.names.count(n) > 1]:
        raise TableError(f"{path}: two columns are called '{repeated[0]}'; rename one.")
    at = 0
    for _ in range(dialect.lines):
        end = data.find(b"\n", at)
        if end < 0:
            return None
        at = end + 1
    names = [n or f"column_{i + 1}" for i, n in enumerate(dialect.names)]
    head = {"separator": dialect.separator, "names": names, "notes": list(dialect.notes)}
    return Place(at, 0, head, start_of(path, at))


def arrived(path: Path, place: Place) -> Arrived:
    """The rows below a place whose last line is ended: one that is still written has to wait."""
    with open(path, "rb") as file:
        file.seek(place.bytes)
        data = file.read(MOST)
        while (end := whole(data, place.head.get("separator"))) == 0 and len(data) >= MOST:
            if len(data) >= LONGEST:
                raise TableError(
                    f"{path}: row {place.rows} is longer than {LONGEST >> 20} MB; a quotation mark "
                    "that is never closed looks like that."
                )
            if not (further := file.read(MOST)):
                break
            data += further
    text = decoded(path, place, data[:end])
    parse = json_rows if path.suffix.lower() in JSONL else csv_rows
    rows, faults = parse(text, place)
    count = len(rows) + len(faults)
    length = place.bytes + end
    new = place._replace(bytes=length, rows=place.rows + count, start=start_of(path, length))
    return Arrived(rows, new, len(data) >= MOST and end > 0, faults)


def whole(data: bytes, separator: str | None) -> int:
    """Bytes up to the last end of a line; of cells with a separator, one outside quoted cells.

    A quotation mark quotes where a cell begins with it; elsewhere, as in 5" long, it is a letter.
    """
    if separator is None or b'"' not in data:
        return data.rfind(b"\n") + 1
    begins = rb"(?:\A|[\n" + re.escape(separator.encode()) + rb"])"
    end, at = 0, 0
    for cell in re.finditer(begins + rb'"[^"]*(?:""[^"]*)*("|\Z)', data):
        end = max(end, data.rfind(b"\n", at, cell.start() + 1) + 1)
        at = cell.end()
        if not cell[1]:  # it is not closed so far
            return end
    return max(end, data.rfind(b"\n", at) + 1)


def decoded(path: Path, place: Place, data: bytes) -> str:
    """Bytes of whole lines as text."""
    try:
        return data.decode("utf-8-sig" if not place.bytes else "utf-8")
    except UnicodeDecodeError as error:
        where = "a row" if not place.rows else f"a row after row {place.rows - 1}"
        raise TableError(f"{path}: {where} {NOT_UTF8}") from error


def csv_rows(text: str, place: Place) -> tuple[list[tuple[int, Mapping[str, Any]]], dict[int, str]]:
    """Cells as they are written, an empty one as nothing; blank lines are no rows."""
    names, rows, faults = list(place.head["names"]), [], {}
    csv.field_size_limit(2 * LONGEST)  # a series written as a cell is longer than what is usual
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=place.head["separator"])
    number = place.rows
    for cells in reader:
        if not any(c.strip() for c in cells):
            continue
        if len(cells) != len(names):
            faults[number] = f"{len(cells)} cells where the heading has {len(names)} columns"
        else:
            rows.append((number, {n: c or None for n, c in zip(names, cells, strict=True)}))
        number += 1
    return rows, faults


def json_rows(
    text: str, place: Place
) -> tuple[list[tuple[int, Mapping[str, Any]]], dict[int, str]]:
    """One object a line."""
    rows, faults = [], {}
    lines = [line for line in text.split("\n") if line.strip()]
    for number, line in enumerate(lines, place.rows):
        try:
            found = from_json(line)
        except ValueError as error:
            faults[number] = f"no JSON: {error}"
            continue
        if isinstance(found, dict):
            rows.append((number, found))
        else:
            faults[number] = "a JSON object with a value a column is expected"
    return rows, faults


def from_json(text: str | bytes) -> Any:
    """What JSON says; ValueError for what is none, is nested without end, or holds letters that no
    file can."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
