"""Whether a table writes 6.5 or 6,5: judged by all of its text columns, so that a cell is read alike
in every one of them.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from modalloy.table.typed import COMMA, NUMBER
from modalloy.table.values import to_text

Decimal = Literal[".", ","]
PLAIN = r"^[+-]?(0|[1-9][0-9]*)$"
THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"  # 3.302: a fraction, or three thousand
US_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"  # 3,302: the other way round
US_AMOUNT = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]+$"
MOSTLY = 0.5  # share of a column's cells that are numbers in one way of writing or the other


class Signs(NamedTuple):
    """Cells of one column by what they can be, and an example of each."""

    column: str
    commas: str | None  # the first cell that only a decimal comma makes a number
    points: str | None
    grouped: str | None  # 3.302
    different: int  # cells, of those with a sign


class Verdict(NamedTuple):
    """The decimal sign, None where no cell tells; and sentences about cells that it decides."""

    decimal: Decimal | None
    notes: tuple[str, ...] = ()


def decimal_sign(columns: Iterable[tuple[str, Sequence[pa.Array]]]) -> Verdict:
    """Judge the text columns of a table.

    Each column whose cells are numbers has one vote: for the comma where more of its cells need one
    (`6,5`, `1.234,5`) than need a point (`0.5`); more votes win. Where they are level, those with
    more different cells: measured amounts rather than versions. `3.302` and `3,302` tell nothing, because either sign may part thousands.
    """
    signs = [s for name, cells in columns if (s := _signs(name, cells)) is not None]
    commas = [s for s in signs if s.commas and not s.points]
    points = [s for s in signs if s.points]
    if not commas and not points:
        return Verdict(None)
    votes = [(len(side), sum(s.different for s in side)) for side in (commas, points)]
    decimal: Decimal = "," if votes[0] > votes[1] else "."
    notes = []
    if commas and points:
        other, own = (points, commas) if decimal == "," else (commas, points)
        notes.append(
            f"decimals are written as in {_shown(own[0], decimal)}, so {_shown(other[0], _other(decimal))} "
            "is no number"
        )
    thousands = [s for s in signs if s.grouped]
    if decimal == "," and thousands:
        cell = str(thousands[0].grouped)
        notes.append(
            f"decimals are written as in {_shown(commas[0], ',')}, so {cell!r} (column "
            f"'{thousands[0].column}') is {cell.replace('.', '')}"
        )
    return Verdict(decimal, tuple(notes))


def _shown(signs: Signs, decimal: Decimal) -> str:
    cell = signs.commas if decimal == "," else signs.points
    return f"{cell!r} (column '{signs.column}')"


def _other(decimal: Decimal) -> Decimal:
    return "." if decimal == "," else ","


def _signs(name: str, cells: Sequence[pa.Array]) -> Signs | None:
    """What the cells of one column tell; None where they are not numbers."""
    texts = pa.chunked_array([pc.utf8_trim_whitespace(to_text(c)) for c in cells], pa.string())
    marked = pc.match_substring_regex(texts, r"^[+-]?[0-9.,]*[.,][0-9]")
    some = texts.filter(pc.fill_null(marked, False))
    if not len(some):
        return None
    filled = len(texts) - texts.null_count - _count(pc.equal(texts, ""))
    plain = _count(pc.match_substring_regex(texts, PLAIN))
    grouped = _which(some, THOUSANDS)
    listed = _which(some, US_THOUSANDS)
    comma = pc.and_not(_which(some, COMMA), pc.or_(grouped, listed))
    comma = pc.and_(comma, pc.match_substring_regex(some, r",|\..*\."))
    point = pc.and_not(pc.or_(_which(some, NUMBER), _which(some, US_AMOUNT)), grouped)
    counts = [_count(x) for x in (comma, point, grouped, listed)]
    if plain + sum(counts) < MOSTLY * filled:
        return None
    first = [_first(some, x) for x in (comma, point, grouped)]
    if counts[0] > counts[1]:
        first[1] = None
    elif counts[0]:
        first[0] = None
    return Signs(name, *first, len(some.unique()))


def _which(texts: pa.ChunkedArray, form: str) -> pa.ChunkedArray:
    return pc.match_substring_regex(texts, form)


def _count(found: pa.ChunkedArray) -> int:
    return pc.sum(found).as_py() or 0


def _first(texts: pa.ChunkedArray, which: pa.ChunkedArray) -> str | None:
    at = pc.index(which, True).as_py()
    return None if at < 0 else texts[at].as_py()
