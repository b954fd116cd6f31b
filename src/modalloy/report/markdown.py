"""Pieces of Markdown - lists, tables - with every text escaped."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from modalloy.report.html import UNSEEN, Markup, short

BREAKS = re.compile(r"[^\S\xa0\u202f]+")  # the two spaces that do not break stay in numbers
SPECIAL = re.compile(r"[\\`*<>\[\]|#~]|&(?=[#\w]+;)|(?<!\w)_|_(?!\w)")
LONGEST = 400  # letters of a cell
WIDEST = 40  # letters that a column is padded to


def escape(text: Any) -> str:
    """Text that Markdown prints as it is: on one line, and nothing in it is a command."""
    line = BREAKS.sub(" ", str(text).encode("utf-8", errors="replace").decode("utf-8")).strip()
    return SPECIAL.sub(r"\\\g<0>", UNSEEN.sub("\ufffd", line))


def words(markup: Markup) -> str:
    """What a piece of a page says, without its tags; not yet escaped."""
    return html.unescape(re.sub("<[^>]*>", "", markup))


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {escape(line)}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns stand below one another in a plain editor too."""
    cells = [[escape(short(c, LONGEST)) for c in row] for row in (head, *rows)]
    widths = [min(WIDEST, max(3, *map(len, column))) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    lines = (" | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"| {line} |" for line in lines)
