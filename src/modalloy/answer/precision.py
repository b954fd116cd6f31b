"""A score from which on spans and boxes are right in a stated share: risk control.

Thresholds are tested from a few starts down, each against the claim that spans or boxes above it
are right less often than stated, until one claim cannot be refuted (Learn then Test, Angelopoulos
et al. 2021, arXiv 2110.01052, fixed sequences). Spans of one row may be right or wrong together;
they then count for fewer (Rao & Scott 1992).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.chances import incomplete_beta
from modalloy.judge.metrics.detection import as_boxes, match_picture
from modalloy.judge.metrics.spans import Span, fit_length, spans_of

DOUBT = 0.1  # chance that the stated precision is missed all the same
SHARES = np.linspace(0.0, 1.0, 41)[1:]  # of the scores, the highest first, that are above one
STARTS = (0.1, 0.25, 0.5, 0.75)  # shares at which a sequence of tests begins


@dataclass(frozen=True)
class Precision:
    """Spans or boxes with at least this score are right in a share `coverage` of all of them, with
    90 % certainty.

    limit: None where no score promises that. rows, found: how many rows and how many spans or
    boxes it was taken from.
    """

    kind: ClassVar[str] = "precision"
    coverage: float
    limit: float | None
    rows: int
    found: int

    @classmethod
    def fit(
        cls, score_N: np.ndarray, right_N: np.ndarray, row_N: np.ndarray, *, coverage: float
    ) -> Self:
        """The lowest score that keeps the promise. row_N: the row of each span or box."""
        if not len(score_N):
            return cls(coverage, None, 0, 0)
        high_N = np.sort(score_N)[::-1]
        kept: list[float] = []
        for start in STARTS:
            for share in SHARES[start <= SHARES]:
                limit = float(high_N[int(np.ceil(share * len(high_N))) - 1])
                above_N = score_N >= limit
                chance = chance_of_less(right_N[above_N], row_N[above_N], coverage)
                if chance > DOUBT / len(STARTS):
                    break
                kept.append(limit)
        return cls(coverage, min(kept, default=None), len(np.unique(row_N)), len(score_N))

    def apply(self, answer: Answer) -> Answer:
        """`sure`: of each box whether it keeps the promise, arrays of bool; of tags those of spans
        that do, all others `O`.
        """
        rows = len(next(iter(answer.values())))
        sure = np.empty(rows, dtype=object)
        limit = np.inf if self.limit is None else self.limit
        for i in range(rows):
            if "tags" in answer:
                sure[i] = tags_above(answer["tags"][i], answer["word_confidence"][i], limit)
            else:
                sure[i] = np.asarray(answer["scores"][i]) >= limit
        return {"sure": sure}

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The threshold whose `state` this is."""
        return cls(**state)


def chance_of_less(right_N: np.ndarray, row_N: np.ndarray, coverage: float) -> float:
    """How likely so many right ones are where they are right in a share `coverage` at most."""
    share, own = float(right_N.mean()), np.unique(row_N, return_inverse=True)[1]
    count = float(len(right_N))
    if share == 1.0:
        count = float(own.max() + 1)
    else:
        apart = (np.bincount(own, right_N - share) ** 2).sum()
        count /= max(1.0, apart / (count * share * (1.0 - share))) if share else 1.0
    hits = count * share
    return incomplete_beta(hits, count - hits + 1.0, coverage) if hits else 1.0


def judged_items(answer: Answer, truth: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every answered span or box: its score, whether it is right, and its row; rows whose truth is
    None have none.

    A span is right where it is exact; a box where it takes a true one of its name by half.
    """
    scores, rights, rows = [], [], []
    for i, true in enumerate(truth):
        if true is None:
            continue
        judge = judged_spans if "tags" in answer else judged_boxes
        score, right = judge(answer, i, true)
        scores.append(score)
        rights.append(right)
        rows.append(np.full(len(score), i))
    none = np.zeros(0)
    return (
        np.concatenate([none, *scores]),
        np.concatenate([none, *rights]).astype(bool),
        np.concatenate([none, *rows]).astype(np.int64),
    )


def judged_spans(answer: Answer, i: int, true: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a row's spans, and which of them are true."""
    spans = spans_of(fit_length(answer["tags"][i], len(true)))
    known = set(spans_of(true))
    sure = answer["word_confidence"][i]
    score = np.array([span_score(s, sure) for s in spans])
    return score, np.array([s in known for s in spans], dtype=bool)


def judged_boxes(answer: Answer, i: int, true: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a row's boxes, and which of them are true."""
    boxes, names = as_boxes(answer["boxes"][i], answer["names"][i])
    true_boxes, true_names = as_boxes(true["boxes"], true["names"])
    score = np.asarray(answer["scores"][i], dtype=np.float64)
    right = np.zeros(len(names), dtype=bool)
    for name in set(names):
        own = np.flatnonzero([n == name for n in names])
        best = own[np.argsort(-score[own], kind="stable")]
        right[best] = match_picture(boxes[best], true_boxes[[n == name for n in true_names]])[0]
    return score, right


def span_score(span: Span, sure: Sequence[float]) -> float:
    """How sure a span is: as its least sure word; a word that was not read counts as 0."""
    return min([*sure[span.first : span.last], *[0.0] * (span.last - len(sure))], default=0.0)


def tags_above(tags: Sequence[str], sure: Sequence[float], limit: float) -> list[str]:
    """The tags of spans that are at least so sure; all others are `O`."""
    kept = ["O"] * len(tags)
    for span in spans_of(tags):
        if span_score(span, sure) >= limit:
            kept[span.first : span.last] = tags[span.first : span.last]
    return kept
