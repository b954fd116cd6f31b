"""One line of a file of samples: which of its cells are numbers, words or neither."""

import csv
import re
from collections.abc import Sequence

from modalloy.cells.missing_markers import says_nothing

COMMENTS = ("#", "%", "//")
POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?(\d+(\.\d{3})*,\d+|,\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
WORDS = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
MOMENT = re.compile(r"[\d\-/.:T +Z]*(\d[-/.:]\d)[\d\-/.:T +Z]*")
# Numbers in a way of writing that is not read, such as 1'234.5, 1 234,5, <0.5.
STRANGE = re.compile(r"[<>≤≥~≈]?\s*[+-]?\d[\d'’´\s.,_]*")
BEYOND = re.compile(  # what devices write for amounts out of their range
    r"[+-]?(over|under)[ _-]?(flow|range|load)|ovf?l|ovr?fl|ov[fr]|ud?fl?|out[ _-]?of[ _-]?range"
    r"|[+-]?o\.?l\.?|saturated|clipped|[*#?]{2,}",
    re.IGNORECASE,
)


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
    return MOMENT.fullmatch(cell) is not None and not all(map(is_number, cell.split()))  # 1 234.5


def has_word(row: Sequence[str]) -> bool:
    """Whether a line holds a word, and not only numbers and what stands for one."""
    return any(map(_is_word, row))


def has_names(row: Sequence[str]) -> bool:
    """Whether a line can be nothing but names: words that differ, and no number."""
    filled = [c for c in row if c]
    words = sum(_is_word(c) and not says_nothing(c) for c in filled)
    return words == len(filled) == len(set(filled)) > 0


def _is_word(cell: str) -> bool:
    if not cell or is_number(cell) or STRANGE.fullmatch(cell) or BEYOND.fullmatch(cell):
        return False
    return cell.isalpha() or not says_nothing(cell)  # `error` may be a name, `n.d.` is none
