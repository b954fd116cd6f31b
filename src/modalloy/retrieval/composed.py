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
NUMBER = r"\d+(?!\.?\d)"
BETWEEN = r"(?:\s*(?:[,;/&–-]|\b(?:and|or|to|through)\b))+\s*#?\s*"  # numbers of one list
MENTIONED = re.compile(  # Row 3; rows 3, 4 and 99; row numbers 3-5
    rf"\brows?(?:\s+(?:numbers?|nos?\.?))?\s*[#:]?\s*({NUMBER}(?:{BETWEEN}{NUMBER})*)",
    re.IGNORECASE,
)
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

    A sentence without a citation is nobody's claim and is left out, too. What a cell of the rows
    says is quoted, not claimed: it cites nothing and ends no sentence.
    """
    known, kept, rows = {hit.row for hit in hits}, [], []
    masked, quotes = without_quotes(text.strip(), hits)
    for sentence in SENTENCE.split(masked):
        found = citations(sentence)
        if found and found <= known:
            kept.append(MASK.sub(lambda at: quotes[int(at[1])], sentence))
            rows += [h.row for h in hits if h.row in found and h.row not in rows]
    return " ".join(kept), rows


MASK = re.compile("\0([0-9]+)\0")


def without_quotes(text: str, hits: Sequence[Hit]) -> tuple[str, list[str]]:
    """The text with a mask in place of every cell that it quotes as `extract` does, and these."""
    cells = [(n, said(v)) for hit in hits for n, v in hit.cells.items() if not empty(v)]
    phrases = {f"{name} {value}" for name, value in cells}
    phrases |= {value for _, value in cells if value.startswith("“")}
    quotes: list[str] = []

    def mask(found: re.Match[str]) -> str:
        quotes.append(found[0])
        return f"\0{len(quotes) - 1}\0"

    any_of = "|".join(re.escape(p) for p in sorted(phrases, key=len, reverse=True))
    text = text.replace("\0", " ")
    return (re.sub(rf"(?<![\w\[])(?:{any_of})(?!\w)", mask, text) if cells else text), quotes


def citations(sentence: str) -> set[int]:
    """The rows that a sentence cites; -1 stands for a citation that names no number."""
    rows: set[int] = set()
    for inner in CITED.findall(sentence):
        parts = re.sub(r"(?i)^rows?", "", inner).replace(" and ", ",").split(",")
        for part in (p.strip() for p in parts):
            number = part.isascii() and part.isdigit() and len(part) < 19
            rows.add(int(part) if number else -1)
    mentioned = re.sub(CITED, " ", sentence)
    for listed in MENTIONED.findall(mentioned):
        numbers = re.findall(r"\d+", listed)
        rows |= {int(n) if n.isascii() and len(n) < 19 else -1 for n in numbers}
    return rows
