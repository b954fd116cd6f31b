"""Names and units of channels from the lines above the samples of a file."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from modalloy.errors import TableError
from modalloy.media.blob import File
from modalloy.media.sample_line import COMMENTS, has_names, has_word, split_line

UNIT = re.compile(
    r"\[.*\]|\(.*\)|-|%|°|°?[CFK]|deg[CFK]?|grad|rad|[munµ]?s|sec|min|h|[kMG]?Hz|[mkM]?N(m|/mm2|/mm²)?"
    r"|[munµk]?V|[munµ]?A|[mkM]?W|[mc]?bar|[hkMG]?Pa|[munµkc]?m(/s(2|²|\^2|/s)?)?|g|[munµk]g|rpm"
    r"|1/min|U/min|dB(\(A\))?|l/min|m[3³]/h|mm/s(2|²)?|counts?|[kM]?Ohm|Ω|ppm|T|mT|J|kJ",
)


class Heading(NamedTuple):
    """names: one a column, None without a heading. first: the first line of samples, from 0."""

    names: list[str] | None
    first: int
    notes: tuple[str, ...] = ()


class _Line(NamedTuple):
    """A line above the samples: where it stands, its cells, and how it was made to fit."""

    at: int
    cells: list[str]
    comment: bool
    padded: bool


def find_heading(
    path: File, lines: Sequence[str], separator: str, width: int, *, ends_empty: bool
) -> Heading:
    """The heading among the lines above the first one of numbers, and where the samples begin.

    The heading is the last line of names in several columns, the first in a single one; a line of
    units may follow it. What else stands below it belongs to the samples, so that a cell there that
    cannot be read is not lost. Raises TableError for lines that fit to neither.
    """
    rows = _rows(path, lines, separator, width, ends_empty=ends_empty)
    own = [k for k, row in enumerate(rows) if not row.comment]
    named = [k for k in own if has_names(rows[k].cells) and not _repeated(rows, k)]
    named = [k for k in named if not rows[k].padded] or named
    units = [k for k in named if k - 1 in named and _are_units(rows, k)]
    named = [k for k in named if k not in units]
    named = [units[0] - 1] if units and width == 1 else named
    notes: tuple[str, ...] = ()
    if named and width > 1 and len(named) > 1:
        above = rows[named[-2]]
        notes = (f"line {above.at + 1} ({', '.join(above.cells)[:60]}) above the heading left out",)
    worded = [k for k in own[:1] if has_word(rows[k].cells) and not _repeated(rows, k)]
    found = named[:1] if width == 1 else named[-1:]
    found = found or worded or [k for k in range(len(rows)) if rows[k].comment][-1:]
    if not found:
        return Heading(None, min([rows[k].at for k in own], default=len(lines)))
    head = found[0]
    below = head + 1
    has_units = below < len(rows) and not rows[head].comment and _are_units(rows, below)
    names = rows[head].cells
    if has_units:
        names = [_with_unit(n, u) for n, u in zip(names, rows[below].cells, strict=True)]
        below += 1
    first = next((rows[k].at for k in own if k >= below), len(lines))
    _check_below(path, lines, rows[below - 1].at, first)
    return Heading(_distinct(names), first, notes)


def _rows(
    path: File, lines: Sequence[str], separator: str, width: int, *, ends_empty: bool
) -> list[_Line]:
    """The lines that may be the heading or samples, up to an empty line above a line of names."""
    found: list[_Line] = []
    for at in reversed(range(len(lines))):
        line = bare = lines[at]
        for mark in COMMENTS:
            bare = bare.removeprefix(mark)
        if not bare.strip(f" {separator}"):
            if any(has_names(row.cells) and not row.comment for row in found):
                break
            continue
        row = split_line(bare.strip() if separator == " " else bare, separator)
        fitted = _fitted(row, width, ends_empty=ends_empty, comment=bare != line)
        if fitted:
            found.insert(0, _Line(at, fitted, bare != line, len(row) < width))
        elif not found and bare == line and len(row) > 1:
            raise TableError(
                f"{path}: the heading has {len(row)} names ({', '.join(row[:4])}) and its samples "
                f"{width} cells a line; are there decimal commas between commas?"
            )
    return found


def _repeated(rows: Sequence[_Line], k: int) -> bool:
    """Whether the next line is the same: a device that says the same of each sample."""
    return k + 1 < len(rows) and rows[k + 1].cells == rows[k].cells


def _are_units(rows: Sequence[_Line], k: int) -> bool:
    return _is_units(rows[k].cells) and not _is_units(rows[k - 1].cells)


def _check_below(path: File, lines: Sequence[str], head: int, first: int) -> None:
    """Refuse a line between the heading and the samples that has another number of cells."""
    for at in range(head + 1, first):
        if lines[at].strip() and not lines[at].startswith(COMMENTS):
            raise TableError(
                f"{path}: line {at + 1} ({lines[at].strip()!r:.40}) below the heading holds no "
                "samples; take it out, or give it a cell a column"
            )


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
