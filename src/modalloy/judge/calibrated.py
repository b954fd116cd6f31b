"""What answers promised beside what came true: realised coverage, the size of sets and the width of
intervals, in all and for each kind of row.
"""

from collections import Counter
from collections.abc import Sequence
from math import isinf
from typing import Any, assert_never

import numpy as np
from scipy.stats import betabinom

from modalloy.answer.answers import Answer
from modalloy.answer.conformal import rank
from modalloy.answer.precision import Precision, judged_items
from modalloy.answer.promise import Promise, labels_of
from modalloy.answer.row_groups import RowGroup
from modalloy.answer.thresholds import NUMBERS, Method, Thresholds

MOST = 12  # kinds of rows with figures of their own, the commonest first
SURE = 0.95  # chance that realised coverage lies in its band


def realised(
    promise: Promise,
    answer: Answer,
    truth: Sequence[Any],
    groups: Sequence[RowGroup],
    names: Sequence[str] | None,
) -> dict[str, Any]:
    """Figures of one task on rows with a truth; see `Report.calibrated`.

    answer: with what it promises. names: of the classes.
    """
    at = np.flatnonzero([t is not None for t in truth])
    known = {key: np.asarray(v)[at] for key, v in answer.items()}
    right = [truth[i] for i in at.tolist()]
    match promise:
        case Precision():
            return kept_precision(promise, known, right)
        case Thresholds():
            pass
        case _:
            assert_never(promise)
    hit_N, of_N = covered(promise.method, known, right, names)
    size_N, sure_N = sizes(promise.method, known)
    found = {
        "method": promise.method,
        "asked": promise.coverage,
        "fitted_on": promise.every.rows,
        **figures(promise, promise.every, hit_N, of_N, size_N, sure_N, slice(None)),
    }
    own = [groups[i] for i in at.tolist()]
    counts = Counter(own)
    kinds = sorted(counts, key=lambda g: (-counts[g], g))
    if len(kinds) > 1:
        found["kinds"] = [
            {
                "missing": list(kind.missing),
                "by": dict(zip(promise.by, kind.values, strict=True)),
                "own": kind in promise.own,
                "fitted_on": promise.of(kind).rows,
                **figures(
                    promise, promise.of(kind), hit_N, of_N, size_N, sure_N,
                    np.array([g == kind for g in own]),
                ),
            }
            for kind in kinds[:MOST]
        ]  # fmt: skip
        found["all_kinds"] = len(kinds)
    return found


def figures(
    promise: Thresholds,
    limits: Any,
    hit_N: np.ndarray,
    of_N: np.ndarray,
    size_N: np.ndarray,
    sure_N: np.ndarray,
    at: Any,
) -> dict[str, Any]:
    """Coverage, its band and mean size of some rows; sizes that are not finite count as none."""
    hits, of = int(hit_N[at].sum()), int(of_N[at].sum())
    numbers = promise.method in NUMBERS
    found: dict[str, Any] = {
        "rows": len(hit_N[at]),
        "coverage": hits / of if of else None,
        "width" if numbers else "size": mean_of(size_N[at]),
    }
    if not numbers:
        found["sure"] = mean_of(sure_N[at])
    if promise.method != "labels" and of:
        found["band"] = band(limits.rows, of, promise.coverage)
    return found


def mean_of(x_N: np.ndarray) -> float | None:
    """The mean, None of nothing and of what is infinite."""
    mean = float(x_N.mean()) if len(x_N) else np.inf
    return None if isinf(mean) else mean


def band(fitted: int, rows: int, coverage: float, *, sure: float = SURE) -> list[float]:
    """Where the realised coverage of so many rows lies with this chance, where the threshold was
    taken from `fitted` rows of the same kind: it is beta-binomial (Vovk 2012, arXiv 1209.2673).
    """
    at = rank(fitted, coverage)
    if not fitted or at > fitted:
        return [0.0, 1.0]
    below_R = betabinom.pmf(np.arange(rows + 1), rows, at, fitted + 1 - at).cumsum()
    ends = np.searchsorted(below_R, [(1 - sure) / 2, (1 + sure) / 2])
    return [float(min(end, rows)) / rows for end in ends]


def covered(
    method: Method,
    answer: Answer,
    truth: Sequence[Any],
    names: Sequence[str] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """How many truths of each row its set or interval holds, and how many it has, (N,) each."""
    ones = np.ones(len(truth), dtype=np.int64)
    match method:
        case "labels":
            yes_NC = labels_of(truth, names or ())
            return (yes_NC & answer["set"]).sum(1), yes_NC.sum(1)
        case "lac" | "aps" | "raps":
            at = {name: c for c, name in enumerate(names or ())}
            inside = [t in at and bool(s[at[t]]) for t, s in zip(truth, answer["set"], strict=True)]
            return np.array(inside, dtype=np.int64), ones
        case "residual" | "spread" | "quantiles":
            y = np.array(truth, dtype=np.float64)
            inside = (answer["low"] <= y) & (y <= answer["high"])
            return inside.astype(np.int64), ones
        case _:
            assert_never(method)


def sizes(method: Method, answer: Answer) -> tuple[np.ndarray, np.ndarray]:
    """How many names each set holds, or how wide each interval is; and which sets are the answer
    itself.
    """
    if method in NUMBERS:
        return answer["high"] - answer["low"], np.zeros(len(answer["low"]))
    p_NC = answer["probability"]
    chosen_NC = p_NC >= 0.5
    if method != "labels":
        chosen_NC = p_NC.argmax(1)[:, None] == np.arange(p_NC.shape[1])
    same_N = (answer["set"] == chosen_NC).all(1)
    return answer["set"].sum(1).astype(np.float64), same_N.astype(np.float64)


def kept_precision(promise: Precision, answer: Answer, truth: Sequence[Any]) -> dict[str, Any]:
    """Share of the spans or boxes that are called sure that are right, and of all of them how many
    are.
    """
    right_N = judged_items(answer, truth)[1]
    if "tags" in answer:
        kept_N = judged_items({**answer, "tags": answer["sure"]}, truth)[1]
    else:
        kept_N = right_N[np.concatenate([np.zeros(0, dtype=bool), *answer["sure"]])]
    return {
        "method": "precision",
        "asked": promise.coverage,
        "fitted_on": promise.rows,
        "rows": len(truth),
        "limit": promise.limit,
        "precision": float(kept_N.mean()) if len(kept_N) else None,
        "sure": len(kept_N) / len(right_N) if len(right_N) else None,
    }
