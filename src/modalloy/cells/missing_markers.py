"""Texts that only say that there is no value: `n.d.`, `-`, `#DIV/0!`."""

from typing import Any

EXCEL_FAULTS = {"#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"}
# In small letters. Not among them: `<0.5`, `OVERFLOW` and the like, which tell something of the
# amount, and `inf`, which is a number. pyarrow's own words for CSV stand here too, so that a cell
# means the same in every kind of table.
MARKS = {fault.lower() for fault in EXCEL_FAULTS} | {
    "n/a", "na", "n.a.", "#n/a n/a", "#na", "null", "none", "nd", "n.d.", "n/d", "tbd", "missing",
    "unknown", "err", "error", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "?",
    "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
}  # fmt: skip
LONGEST = max(map(len, MARKS))


def says_nothing(cell: Any) -> bool:
    """Whether a text is one of the usual marks for no value, such as `n.d.`, in either case."""
    if not isinstance(cell, str):
        return False
    text = cell.strip()
    return len(text) <= LONGEST and text.lower() in MARKS
