"""Named spans of BIO tags, and how many of them were found exactly.

Malformed tags are read as the CoNLL script and seqeval's default read them: an `I-X` that follows
`O` or another type begins a span. A tag without `B-` or `I-` is outside.

Token figures: `token_f1` is the micro-averaged F1 over all tags with `O` among them, which equals
the share of right tokens; most tokens are `O`, so it flatters. scikit-learn prints a "micro avg"
line only when `O` is left out of its labels: that is `token_f1_entities`. Spans found exactly
(`span_f1`) are what the CoNLL shared tasks score.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.classes import known_rows
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.tally import Tally, ratio


class Span(NamedTuple):
    """Words first to last - 1 of a sentence, and what they are."""

    kind: str
    first: int
    last: int


class TagTally(Tally):
    """Tags of sentences; truth holds lists of BIO tags, None where unknown.

    Answers shorter than the truth are taken as `O` beyond their end, longer ones are cut.
    """

    def __init__(
        self,
        truth: Sequence[Sequence[str] | None],
        answered: Sequence[Sequence[str]] | np.ndarray,
    ) -> None:
        self.rows = known_rows(truth)
        self.true = [list(truth[i]) for i in self.rows]
        self.answered = [
            fit_length(answered[i], len(t)) for i, t in zip(self.rows, self.true, strict=True)
        ]
        pairs = zip(self.true, self.answered, strict=True)
        self.counts_N7 = np.array([count(t, a) for t, a in pairs], dtype=np.float64).reshape(-1, 7)

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """span_f1, span_precision, span_recall, token_f1, token_f1_entities."""
        hit, true, found, right, words, right_named, named = self.counts_N7.T @ weight_NR
        return {
            "span_f1": ratio(2 * hit, true + found),
            "span_precision": ratio(hit, found, 0.0),
            "span_recall": ratio(hit, true, 0.0),
            "token_f1": ratio(right, words),
            "token_f1_entities": ratio(2 * right_named, named),
        }


class TagMeasure(Measure):
    """Figures of spans and words."""

    def tally(
        self,
        options: config.Tag,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> TagTally:
        """Of the tags."""
        del options, names
        return TagTally(truth, answer["tags"])

    def primary(self, options: config.Tag) -> tuple[str, bool]:
        """Spans found exactly."""
        del options
        return "span_f1", True

    def skill(self, options: config.Tag, classes: int) -> list[str]:
        """The same."""
        del options, classes
        return ["span_f1"]

    def by_class(self, counted: TagTally) -> str:
        """Exact spans of each kind, as seqeval."""
        return report_spans(counted)


def spans_of(tags: Iterable[str]) -> list[Span]:
    """The spans that BIO tags say, in their order."""
    spans: list[Span] = []
    kind, first = "", 0
    for i, tag in enumerate([*tags, "O"]):
        mark, _, name = tag.partition("-")
        inside = mark in ("B", "I") and bool(name)
        if kind and not (inside and mark == "I" and name == kind):
            spans.append(Span(kind, first, i))
            kind = ""
        if inside and not kind:
            kind, first = name, i
    return spans


def count(true: Sequence[str], answered: Sequence[str]) -> tuple[int, ...]:
    """Spans right, true, answered; words right, all; entity words right, true plus answered."""
    a, b = set(spans_of(true)), set(spans_of(answered))
    right = [t == s for t, s in zip(true, answered, strict=True)]
    right_named = sum(r and t != "O" for r, t in zip(right, true, strict=True))
    named = sum(t != "O" for t in true) + sum(t != "O" for t in answered)
    return len(a & b), len(a), len(b), sum(right), len(true), right_named, named


def fit_length(tags: Sequence[str], words: int) -> list[str]:
    """The tags of exactly so many words; what is missing is `O`."""
    return list(tags[:words]) + ["O"] * (words - len(tags))


def report_spans(tally: TagTally) -> str:
    """Precision, recall and F1 of each kind of span as text, in scikit-learn's layout."""
    hits, true, found = Counter(), Counter(), Counter()
    for t, a in zip(tally.true, tally.answered, strict=True):
        t_spans, a_spans = set(spans_of(t)), set(spans_of(a))
        hits.update(s.kind for s in t_spans & a_spans)
        true.update(s.kind for s in t_spans)
        found.update(s.kind for s in a_spans)
    kinds = sorted(true | found)
    lines = [(k, *rates(hits[k], found[k], true[k]), true[k]) for k in kinds]
    each = np.array([line[1:4] for line in lines]).reshape(-1, 3)
    share = np.array([line[4] for line in lines], dtype=np.float64)
    support = int(share.sum())
    micro = rates(hits.total(), found.total(), true.total())
    macro = each.mean(0) if len(each) else np.zeros(3)
    weighted = share @ each / support if support else np.zeros(3)
    averages = [("micro avg", *micro, support), ("macro avg", *macro, support)]
    return lay_out(lines, [*averages, ("weighted avg", *weighted, support)])


def rates(hits: int, found: int, true: int) -> tuple[float, float, float]:
    """Precision, recall and F1; zero where nothing was answered or nothing was there."""
    precision = hits / found if found else 0.0
    recall = hits / true if true else 0.0
    return precision, recall, 2 * hits / (found + true) if found + true else 0.0


def lay_out(lines: Sequence[tuple], averages: Sequence[tuple]) -> str:
    """Rows of (name, precision, recall, F1, support) in the layout of scikit-learn's report."""
    width = max(len(line[0]) for line in [*lines, *averages])
    head = " " * width + "".join(f" {h:>9}" for h in ("precision", "recall", "f1-score", "support"))
    body = "{:>" + str(width) + "}" + " {:>9.4f}" * 3 + " {:>9}"
    rows = [[body.format(*line) for line in part] for part in (lines, averages)]
    return "\n".join([head, "", *rows[0], "", *rows[1], ""])
