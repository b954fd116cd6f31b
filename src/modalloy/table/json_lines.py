"""JSON Lines: one object a line, as programs that log or label write their records."""

import json
from pathlib import Path
from typing import Any

from modalloy.errors import TableError
from modalloy.table.arrow_store import Stream
from modalloy.table.given_cells import read_cells


def read_json_lines(path: Path) -> Stream:
    """The records of a file as rows; a record that lacks a name has an empty cell there.

    Lists and numbers keep their types, objects inside a record are cells that no reader takes. A
    blank line is a row without a cell; at the end of the file it is left out. The file is read into
    memory. Raises TableError that names the line.
    """
    data = path.read_bytes()
    try:
        lines = data.decode("utf-8-sig").split("\n")  # a text may hold other ends of lines
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise TableError(f"{path}: line {line} is not UTF-8; save the file as UTF-8.") from fault
    while lines and not lines[-1].strip():
        lines.pop()
    rows = [read_record(path, number, line) for number, line in enumerate(lines, 1)]
    return read_cells(rows)._replace(size=len(data))


def read_record(path: Path, number: int, line: str) -> dict[str, Any]:
    """The object of one line."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise TableError(f"{path}: line {number} has the name '{twice[0]}' more than once.")
        return dict(pairs)

    if not line.strip():
        return {}
    try:
        record = json.loads(line, object_pairs_hook=once)
    except (ValueError, RecursionError) as fault:
        why = str(fault).split(": line ")[0] or "nested too deep"
        raise _refusal(path, number, why) from fault
    if not isinstance(record, dict):
        raise _refusal(path, number, f"it begins with '{line.strip()[0]}'")
    return record


def _refusal(path: Path, number: int, why: str) -> TableError:
    """What to say of a line that is no record."""
    return TableError(
        f"{path}: line {number} is no JSON object ({why}); each line holds one whole record, such "
        'as {"load": 1.5, "fault": "crack"}.'
    )
