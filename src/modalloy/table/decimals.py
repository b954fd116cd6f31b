"""Whether a table writes 6.5 or 6,5: one sign for all of its columns, judged by all of them."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from modalloy.cells.values import texts_of
from modalloy.table.typed import COMMA

Decimal = Literal[".", ","]
NUMBER = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?(0|[1-9][0-9]*)$"
THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"  # 3.302: a fraction, or three thousand
US_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"  # 3,302: the other way round
US_AMOUNT = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]+$"
LOOKED_AT, FEW = 200, 0.1  # cells that show whether a column has numbers; their share
MOSTLY = 0.5  # share of a column's cells that are numbers in one way of writing or the other


class Signs(NamedTuple):
    """Cells of one column by what they can be, and an example of each."""

    column: str
    commas: str | None  # the first cell that only a decimal comma makes a number
    points: str | None
    grouped: str | None  # 3.302
    thousands: bool  # 3.302 beside 616, and nothing else
    different: int  # cells, of those with a sign


class Verdict(NamedTuple):
    """The decimal sign, None where no cell tells; and sentences about cells that it decides.

    both: whether some columns write one sign and some the other.
    """

    decimal: Decimal | None
    notes: tuple[str, ...] = ()
    both: bool = False


def decimal_sign(columns: Iterable[tuple[str, Sequence[pa.Array]]]) -> Verdict:
    """Judge the text columns of a table.

    Each column whose cells are numbers has one vote: for the comma where more of its cells need one
    (`6,5`, `1.234,5`) than need a point (`0.5`); more votes win. Where they are level, those with
    more different cells do: measured amounts rather than versions. `3.302` and `3,302` tell
    nothing, because either sign may part thousands; but `3.302` beside `616` has a vote for the
    comma where another column writes one, because fractions rarely end all at once.
    """
    signs = [s for name, cells in columns if (s := _signs(name, cells)) is not None]
    commas = [s for s in signs if s.commas]
    pieces = [s for s in signs if s.thousands] if commas else []
    points = [s for s in signs if s.points]
    if not commas and not points:
        return Verdict(None)
    votes = [(len(x), sum(s.different for s in x)) for x in ([*commas, *pieces], points)]
    decimal: Decimal = "," if votes[0] > votes[1] else "."
    notes = []
    if commas and points:
        told = [_shown(commas[0], ","), _shown(points[0], ".")][:: 1 if decimal == "," else -1]
        notes.append(f"decimals are written as in {told[0]}, so {told[1]} is no number")
    thousands = [s for s in signs if s.grouped]
    if decimal == "," and thousands:
        cell = str(thousands[0].grouped)
        notes.append(
            f"decimals are written as in {_shown(commas[0], ',')}, so {cell!r} (column "
            f"'{thousands[0].column}') is {cell.replace('.', '')}"
        )
    return Verdict(decimal, tuple(notes), bool(commas and points))


def may_have_commas(columns: Iterable[tuple[str, Sequence[pa.Array]]]) -> bool:
    """Whether any column of numbers has a cell with a comma, or with two points; quick."""
    for _, cells in columns:
        if not _numeric(cells):
            continue
        for texts in map(texts_of, cells):
            comma = pc.match_substring(texts, ",")
            points = pc.greater(pc.count_substring(texts, "."), 1)
            if pc.any(pc.or_(comma, points)).as_py():
                return True
    return False


def _numeric(cells: Sequence[pa.Array]) -> bool:
    """Whether of some cells, spread over the column, a few at least begin as numbers do."""
    rows = sum(map(len, cells))
    step = max(1, rows // LOOKED_AT)
    some = pa.concat_arrays([texts_of(c.take(pa.array(range(0, len(c), step)))) for c in cells])
    filled = _count(pc.not_equal(pc.utf8_trim_whitespace(some), ""))
    begun = _count(pc.match_substring_regex(some, r"^\s*[+-]?[0-9.,]*[0-9]\s*$"))
    return begun >= FEW * filled and begun > 0


def _shown(signs: Signs, decimal: Decimal) -> str:
    cell = signs.commas if decimal == "," else signs.points
    return f"{cell!r} (column '{signs.column}')"


def _signs(name: str, cells: Sequence[pa.Array]) -> Signs | None:
    """What the cells of one column tell; None where they are not numbers."""
    if not _numeric(cells):
        return None
    texts = pa.chunked_array([pc.utf8_trim_whitespace(texts_of(c)) for c in cells], pa.string())
    marked = pc.match_substring_regex(texts, r"^[+-]?[0-9.,]*[.,][0-9]")
    some = texts.filter(pc.fill_null(marked, False))
    if not len(some):
        return None
    filled = len(texts) - texts.null_count - _count(pc.equal(texts, ""))
    plain = _count(pc.match_substring_regex(texts, WHOLE))
    grouped = _which(some, THOUSANDS)
    listed = _which(some, US_THOUSANDS)
    comma = pc.and_not(_which(some, COMMA), pc.or_(grouped, listed))
    comma = pc.and_(comma, pc.match_substring_regex(some, r",|\..*\."))
    point = pc.and_not(pc.or_(_which(some, NUMBER), _which(some, US_AMOUNT)), grouped)
    counts = [_count(x) for x in (comma, point, grouped, listed)]
    if plain + sum(counts) < MOSTLY * filled:
        return None
    return Signs(
        name,
        _first(some, comma) if counts[0] > counts[1] else None,
        _first(some, point) if counts[1] > counts[0] else None,
        _first(some, grouped),
        bool(counts[2] and plain and not counts[0] + counts[1] + counts[3]),
        len(some.unique()),
    )


def _which(texts: pa.ChunkedArray, form: str) -> pa.ChunkedArray:
    return pc.match_substring_regex(texts, form)


def _count(found: pa.ChunkedArray) -> int:
    return pc.sum(found).as_py() or 0


def _first(texts: pa.ChunkedArray, which: pa.ChunkedArray) -> str | None:
    at = pc.index(which, True).as_py()
    return None if at < 0 else texts[at].as_py()
