"""A sentence from the rows that were found, which cites them and can cite nothing else.

What composes it - the template here, or a model - is not trusted: a sentence that cites a row which
was not found is left out, and without a sentence that cites one there is no answer.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from modalloy.cells.cells import empty
from modalloy.report.html import short
from modalloy.retrieval.found import Hit

Composer = Callable[[str, Sequence[Hit]], str]  # a question and rows to sentences that cite them
CITED = re.compile(r"\[\s*(rows?\b[^\[\]]*)\]", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"])")
MOST_CELLS = 4  # of the best row that are told
SHORT = 40  # letters of a value that may be shared by rows


def extract(question: str, hits: Sequence[Hit]) -> str:
    """What the best row says, and what most of the rows have in common: nothing but their cells."""
    best = hits[0]
    told = [f"{n} {said(v)}" for n, v in best.cells.items() if not empty(v)][:MOST_CELLS]
    sentences = [
        f"Row {best.row} fits best: {', '.join(told) or 'no cells in words'} {cite([best])}."
    ]
    for name in dict.fromkeys(n for hit in hits for n in hit.cells):
        values = [(str(h.cells.get(name)), h) for h in hits if not empty(h.cells.get(name))]
        counts = Counter(v for v, _ in values if len(v) <= SHORT)
        if not counts:
            continue
        value, count = counts.most_common(1)[0]
        if count >= 2 and 2 * count > len(hits):
            own = [h for v, h in values if v == value]
            sentences.append(
                f"Of {len(hits)} rows that fit, {count} have {name} {said(value)} {cite(own)}."
            )
    return " ".join(sentences)


def cite(hits: Sequence[Hit]) -> str:
    """`[row 12]`, `[rows 12, 40]`."""
    rows = ", ".join(str(h.row) for h in hits)
    return f"[row{'s' if len(hits) > 1 else ''} {rows}]"


def said(value: Any) -> str:
    """A cell in a sentence; what it says can look like no citation and end no sentence."""
    if isinstance(value, float):
        return f"{value:g}"
    text = short(str(value), 80).replace("[", "(").replace("]", ")")
    text = re.sub(r"\s+", " ", text)
    return f"“{text}”" if re.search(r"\W", text) else text


def supported(text: str, hits: Sequence[Hit]) -> tuple[str, list[int]]:
    """The sentences of a text that cite rows, all of them found, and these rows; "" where none is.

    A sentence without a citation is nobody's claim and is left out, too.
    """
    known, kept, rows = {hit.row for hit in hits}, [], []
    for sentence in SENTENCE.split(text.strip()):
        found = citations(sentence)
        if found and found <= known:
            kept.append(sentence)
            rows += [h.row for h in hits if h.row in found and h.row not in rows]
    return " ".join(kept), rows


def citations(sentence: str) -> set[int]:
    """The rows that a sentence cites; -1 stands for a citation that names no number."""
    rows: set[int] = set()
    for inner in CITED.findall(sentence):
        parts = re.sub(r"(?i)^rows?", "", inner).replace(" and ", ",").split(",")
        for part in (p.strip() for p in parts):
            number = part.isascii() and part.isdigit() and len(part) < 19
            rows.add(int(part) if number else -1)
    mentioned = re.sub(CITED, " ", sentence)
    for number in re.findall(r"(?i)\brows?\s*#?\s*([0-9]+)", mentioned):
        rows.add(int(number) if len(number) < 19 else -1)
    return rows
