"""What keeps a column of nearly-numbers from being one."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from modalloy.cells.missing_markers import says_nothing
from modalloy.cells.numbers import to_number
from modalloy.checks.column_profile import counted

SHOWN = 3  # spellings of no value that a reason names
MOST = 0.05  # share of cells that may be no number in a column of numbers
# 1,500.0 or 12,5 or 50.1 kN; the last group is what follows the number.
FORMED = re.compile(
    r"[$€£]?\s?[+-]?(?!0\d)(\d{1,3}(?:([,.' ])\d{3}(?:\2\d{3})*)|\d+)(?:[.,]\d+)?"
    r"\s*([^\d\s.,]\D{0,9})?"
)


class Nearly(NamedTuple):
    """What keeps a column from being numbers: half a sentence why, and what to do about it."""

    reason: str
    advice: str


def nearly_numbers(cells: Sequence[str], decimal: str = ".") -> Nearly | None:
    """Why texts are numbers but for a few cells, a unit or separators; None where they are not.

    Few cells are at most 5 %, or at most half where they all hold the same sign for nothing.
    """
    odd = [c.strip() for c in cells if not _plain(c.strip(), decimal)]
    found = {c: FORMED.fullmatch(c) for c in set(odd)}
    units = {m[3] for m in found.values() if m}
    formed = [c for c in odd if found[c]] if len(units) == 1 else []
    kept = set(formed)
    strays = [c for c in odd if c not in kept]
    if len(strays) > 0.5 * len(cells):
        return None
    if not formed:  # marks for no value are in the way only of what is written 12,5 or 12 kN
        strays = [c for c in strays if not says_nothing(c)] or strays
    names = list(dict.fromkeys(strays))
    sign = len(names) == 1 and not re.search(r"\d", names[0])
    if len(strays) > (0.5 if sign else MOST) * len(cells) or not odd:
        return None
    if strays:
        shown = ", ".join(repr(n)[:40] for n in names[:3])
        reason = f"numbers but for {counted(len(strays))} of {counted(len(cells))} cells ({shown})"
        return Nearly(reason, "to use it, empty those cells")
    return Nearly(f"numbers written as {formed[0]!r}", "to use it, write them as in 1500.5")


def marks_told(cells: Sequence[Any]) -> str:
    """Which cells of a column of numbers count as missing, by how they are written; "" for none."""
    counts = Counter(c.strip() for c in cells if says_nothing(c)).most_common()
    told = [f"{counted(n)} cell{'s' * (n > 1)} {mark!r}" for mark, n in counts[:SHOWN]]
    if rest := sum(n for _, n in counts[SHOWN:]):
        told.append(f"{counted(rest)} written otherwise")
    if not told:
        return ""
    listed = " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
    return f"{listed} {'is' if counts == [(counts[0][0], 1)] else 'are'} read as missing"


def _plain(cell: str, decimal: str) -> bool:
    """Whether a text is a number, and no code such as 0071 or 118_007."""
    code = "_" in cell or re.match(r"[+-]?0[0-9]", cell) or says_nothing(cell)
    return not code and to_number(cell, decimal) is not None
