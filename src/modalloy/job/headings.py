"""Near matches between the column names that are wanted and those that a table has."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from difflib import get_close_matches

UNIT = re.compile(r"\[[^]]*\]|\([^)]*\)|\{[^}]*\}|<[^>]*>")


def match_headings(
    wanted: Collection[str], held: Collection[str], named: Collection[str] = ()
) -> dict[str, str]:
    """For each wanted name that a table lacks, the one name it has that is spelled alike.

    Alike are names that differ in capitals, white space and invisible characters only (see
    `spelled`). Where two names of the table, or two wanted ones, are alike, nobody is matched; nor
    is a name of the table that is wanted for itself, or `named` for another use.
    """
    absent = [name for name in dict.fromkeys(wanted) if name not in held]
    taken = {*wanted, *named}
    free: dict[str, list[str]] = {}
    for name in held:
        if name not in taken:
            free.setdefault(spelled(name), []).append(name)
    asked = Counter(map(spelled, absent))
    fits = {name: free.get(spelled(name), []) for name in absent if asked[spelled(name)] == 1}
    return {name: found[0] for name, found in fits.items() if len(found) == 1}


def near_heading(wanted: str, held: Collection[str]) -> str | None:
    """The name of a table that a wanted one most likely means, None where none is near.

    The same but for capitals, blanks and marks, with or without a unit in brackets; else the most
    alike.
    """
    for form in (spelled, bare):
        fits = [name for name in held if form(name) and form(name) == form(wanted)]
        if fits:
            return fits[0]
    near = get_close_matches(spelled(wanted), map(spelled, held), n=1, cutoff=0.6)
    return next((name for name in held if near and spelled(name) == near[0]), None)


def spelled(name: str) -> str:
    """A name without what no reader sees: capitals, runs and ends of white space, a byte order mark
    and its like, accents written as marks of their own.
    """
    seen = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join(seen.split()).casefold()


def bare(name: str) -> str:
    """The letters and digits of a name, without a unit in brackets."""
    return "".join(c for c in UNIT.sub("", spelled(name)) if c.isalnum())
