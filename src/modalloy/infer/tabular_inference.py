"""The type of a column of numbers, codes or dates, and why."""

import re
from dataclasses import replace
from datetime import datetime

import numpy as np

from modalloy.cells.missing_markers import says_nothing
from modalloy.cells.moments import SLASHED, Form, date_form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.checks.column_profile import Look, counted
from modalloy.checks.malformed_numbers import marks_told
from modalloy.checks.name_hints import NUMBERS, THINGS, names_a_class, words
from modalloy.infer.guessed import Guess
from modalloy.readers.number import spans_magnitudes

# The last word of a column's name says what a cell stands for.
KEYS = NUMBERS | {"key", "index", "idx", "code"}
WHEN = {
    "time", "timestamp", "ts", "date", "datetime", "at", "day", "epoch", "unix", "when", "created",
    "started", "ended", "recorded", "measured", "zeit", "datum", "zeitstempel",
}  # fmt: skip
WRITTEN: dict[Form, str] = {
    "iso": "dates written as text",
    "day_first": "dates written as text, the day first",
    "month_first": "dates written as text, the month first",
    "yyyymmdd": "dates written as numbers (20240531)",
    "epoch_s": "times in seconds since 1970",
    "epoch_ms": "times in milliseconds since 1970",
    "epoch_us": "times in microseconds since 1970",
    "epoch_ns": "times in nanoseconds since 1970",
}
FEW_AMOUNTS = 30  # different numbers, below which nobody asks how they spread
FEW_CODES = 20  # different whole numbers that may stand for classes
TWO_WAYS = "dates that can be read in two ways"
UNKNOWN = -1  # code of what has none
MOST_NAMES = 0.5  # share of different names above which a text is no category


def guess_numbers(look: Look) -> Guess:
    """Amounts, codes that stand for classes, times as numbers, or what names rows and groups."""
    x = np.array(look.filled, dtype=np.float64)
    x = x[np.isfinite(x)]
    whole = len(x) > 0 and bool((x == np.round(x)).all())
    if found := _times(look):
        return found
    if whole and (found := guess_key(look)):
        return found
    if not len(x):
        return Guess("ignore", "holds no finite number")
    kind = "whole numbers" if whole else "numbers"
    reason = f"{kind} from {x.min():g} to {x.max():g}"
    coded = whole and x.min() >= UNKNOWN and names_a_class(look.name)
    most = min(FEW_CODES, len(x) / 5)
    if names_a_class(look.name, surely=True):
        most = max(len(x) / 4, min(FEW_CODES, MOST_NAMES * len(x)))
    if coded and look.distinct <= most:
        return Guess("category", f"{counted(look.distinct)} codes, by the name")
    if look.distinct > FEW_AMOUNTS and spans_magnitudes(x):
        return Guess("number", f"{reason}, over several magnitudes", {"scale": "log"})
    return Guess("number", reason)


def guess_key(look: Look) -> Guess | None:
    """An identifier or a group, where the name or a plain count 1, 2, 3 says so."""
    noun = (words(look.name) or [""])[-1]
    named = noun in KEYS | THINGS or words(look.name) == ["group"]
    if look.distinct == len(look.filled):
        if len(look.filled) > 1 and (named or _counts_rows(look)):
            return Guess("ignore", "every cell is different: an identifier")
        return None
    enough = len(look.filled) >= 1.2 * look.distinct
    if named and enough and noun not in ("index", "idx", "code"):
        rows = len(look.filled) / look.distinct
        return Guess("group", f"{counted(look.distinct)} of them with {rows:.1f} rows each")
    return None


def guess_dates(look: Look) -> Guess | None:
    """Dates written as text; such as 05/04/2024 only where the whole column says what is what."""
    form = date_form(look.filled)
    moments = [to_moment(c, form) for c in look.some]
    if all(isinstance(m, datetime) for m in moments):
        if all(re.search(r"[-/.: ]", c.strip()) for c in look.some):
            return Guess("time", f"{counted(look.distinct)} different {WRITTEN[form]}")
    elif all(SLASHED.match(c.strip()) for c in look.some):
        reason = f"{TWO_WAYS}, such as {look.some[0]!r:.40}"
        return Guess("ignore", f"{reason}; to use it, write 2024-05-31")
    return None


def numbers_as_text(look: Look) -> bool:
    """Whether every text is a number, and none a code such as 0071 or 118_007."""
    if any(re.match(r"[+-]?0[0-9]", c) for c in look.some):
        return False
    return not any(
        "_" in c or says_nothing(c) or to_number(c, look.decimal) is None for c in look.filled
    )


def guess_marked(look: Look) -> Guess | None:
    """Numbers written as text among marks for no value, with the marks counted."""
    numbers = without_marks(look)
    found = guess_numbers(numbers) if numbers else None
    if found and found.type == "number":
        return Guess("number", f"{found.reason}; {told_marks(look)}", found.options)
    return found if found and found.type == "ignore" else None


def told_marks(look: Look) -> str:
    """How many cells are which mark for no value; of a large table, among those looked at."""
    among = f", of {counted(look.rows)} looked at" if look.rows < look.total else ""
    return f"{marks_told(look.filled)}{among}"


def without_marks(look: Look) -> Look | None:
    """The numbers of a text column, where all its other cells are marks for no value.

    None where no cell is such a mark, or most are, and where there are so few different numbers
    that the texts may be names.
    """
    kept = [c for c in look.filled if not says_nothing(c)]
    numbers = replace(look, filled=kept)
    few = min(FEW_AMOUNTS, MOST_NAMES * len(kept))
    if not 0.5 * len(look.filled) <= len(kept) < len(look.filled) or numbers.distinct <= few:
        return None
    if not numbers_as_text(numbers):
        return None
    return replace(look, kind="number", filled=[to_number(c, look.decimal) for c in kept])


def _times(look: Look) -> Guess | None:
    """Numbers that count seconds since 1970 or spell a day, where the name speaks of a time too."""
    form = date_form(look.filled)
    if form == "iso" or not set(words(look.name)) & WHEN:
        return None
    if not all(isinstance(to_moment(c, form), datetime) for c in look.some):
        return None
    return Guess("time", f"{counted(look.distinct)} different {WRITTEN[form]}")


def _counts_rows(look: Look) -> bool:
    """Whether whole numbers rise from row to row and leave hardly any out."""
    if look.kind != "number" or look.missing:
        return False
    x = np.array(look.filled, dtype=np.float64)
    return bool((np.diff(x) > 0).all() and np.ptp(x) <= 1.01 * look.total)
