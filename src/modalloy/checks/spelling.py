"""Names that differ by capitals, blanks or dashes only."""

import re
import unicodedata
from collections.abc import Mapping

from modalloy.checks.finding import counted

TOLD = 3  # groups of names that a sentence quotes
UNSEEN = re.compile(r"[\u200b-\u200f\u2060\ufeff]")  # letters of no width, as copied from web pages
BLANKS = re.compile(r"(?<!\d)\s+|\s+(?!\d)|(?<=[^\W\d_])[-_]+(?=[^\W\d_])")


def spelled_alike(counts: Mapping[str, int]) -> list[list[str]]:
    """Groups of names that a reader would take for one, the most frequent spelling first.

    Blanks between two digits tell names apart, and so do dashes at a digit or an end: `1 2` is not
    `12`, nor `A-` `A`.
    """
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(_folded(name), []).append(name)
    alike = [sorted(g, key=lambda n: (-counts[n], n)) for g in groups.values() if len(g) > 1]
    return sorted(alike, key=lambda g: -sum(counts[n] for n in g))


def say_alike(counts: Mapping[str, int]) -> str:
    """`'OK' (40 rows) and 'ok' (3 rows) differ only in capitals, blanks or dashes`, or nothing."""
    alike = spelled_alike(counts)
    if not alike:
        return ""
    told = [
        " and ".join(f"{n!r:.40} ({counted(counts[n], 'row')})" for n in group[:TOLD])
        for group in alike[:TOLD]
    ]
    more = f", and {len(alike) - TOLD} more such names" if len(alike) > TOLD else ""
    return f"{', '.join(told)}{more} differ only in capitals, blanks or dashes"


def _folded(name: str) -> str:
    """A name without what the eye passes over."""
    plain = UNSEEN.sub("", unicodedata.normalize("NFKC", name)).casefold()
    return BLANKS.sub("", plain) or plain
