"""Conformal thresholds of one task for each kind of row (Mondrian), and the sets or intervals that
they make of its answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isinf
from typing import Any, ClassVar, Literal, NamedTuple, Self, assert_never

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.conformal import (
    Sets,
    class_scores,
    interval_scores,
    label_scores,
    threshold,
    widened,
    within,
)
from modalloy.answer.row_groups import RowGroup
from modalloy.answer.spread import Spread, learn_spread

Method = Sets | Literal["labels", "residual", "spread", "quantiles"]
NUMBERS = ("residual", "spread", "quantiles")  # methods whose thresholds make intervals

NEVER = -1  # the number of a class that no answer can be
OWN = 3.0  # rows, times 1 / (1 - coverage), from which a kind of row has thresholds of its own


class Limits(NamedTuple):
    """Thresholds that were taken from so many rows: one, or one a label."""

    rows: int
    limit_K: tuple[float, ...]


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of one task.

    every: of all rows together. own: of each kind of row that had enough of them. others: of all
    other kinds together, where these had enough; else `every` holds for them. by: columns whose
    values tell kinds of rows apart beside the columns that they lack. quantiles: places of the
    lowest and the highest quantile in the answer, of `quantiles` alone. spread: how far off answers
    mostly are, in multiples of which the thresholds of `spread` are.
    """

    kind: ClassVar[str] = "conformal"
    method: Method
    coverage: float
    every: Limits
    own: Mapping[RowGroup, Limits] = field(default_factory=dict)
    others: Limits | None = None
    by: tuple[str, ...] = ()
    quantiles: tuple[int, int] | None = None
    spread: Spread | None = None

    @classmethod
    def fit(
        cls,
        method: Method,
        answer: Answer,
        truth: np.ndarray,
        groups: Sequence[RowGroup],
        *,
        coverage: float,
        by: tuple[str, ...] = (),
        quantiles: tuple[int, int] | None = None,
    ) -> Self:
        """Thresholds from rows that the answer had not learned from.

        truth: numbers (N,), of classes their numbers (NEVER for one that no answer can be), or
        which labels each row has (N, C). A threshold is infinite where too few rows had a part in
        it. Kinds of rows are Mondrian categories (Vovk et al. 2003): each promises the coverage for
        itself. `residual` becomes `spread` where the rows show that some answers are further off
        than others.
        """
        blank = cls(method, coverage, Limits(0, ()), by=by, quantiles=quantiles)
        score_NK = blank.scores(answer, truth)
        spread = None
        if method == "residual" and (learned := learn_spread(answer["value"], score_NK[:, 0])):
            method, spread = "spread", learned[0]
            score_NK = score_NK / learned[1][:, None]

        def of(rows: Sequence[int] | slice) -> Limits:
            some_NK = score_NK[rows]
            return Limits(len(some_NK), tuple(threshold(s, coverage) for s in some_NK.T))

        enough = OWN / (1.0 - coverage) - 1e-9
        places: dict[RowGroup, list[int]] = {}
        for i, group in enumerate(groups):
            places.setdefault(group, []).append(i)
        own = {g: of(rows) for g, rows in places.items() if len(rows) >= enough}
        rest = sorted(i for g, rows in places.items() if g not in own for i in rows)
        others = of(rest) if own and len(rest) >= enough else None
        return cls(method, coverage, of(slice(None)), own, others, by, quantiles, spread)

    def scores(self, answer: Answer, truth: np.ndarray) -> np.ndarray:
        """How unlike its answer the truth of each row is, (N, 1); of labels (N, C)."""
        match self.method:
            case "lac" | "aps" | "raps":
                score_NC = class_scores(answer["probability"], self.method)
                own_N1 = np.take_along_axis(score_NC, np.maximum(truth, 0)[:, None], 1)
                return np.where(truth[:, None] == NEVER, inf, own_N1)
            case "labels":
                return label_scores(answer["probability"], truth)
            case "residual" | "spread" | "quantiles":
                return interval_scores(*self.ends(answer), truth)[:, None] / self.unit(answer)
            case _:
                assert_never(self.method)

    def ends(self, answer: Answer) -> tuple[np.ndarray, np.ndarray]:
        """Both ends of an interval before any threshold: quantiles, or twice the answer."""
        if self.quantiles is None:
            value_B = np.asarray(answer["value"], dtype=np.float64)
            return value_B, value_B
        low, high = (np.asarray(answer["quantiles"][:, q], np.float64) for q in self.quantiles)
        return low, high

    def unit(self, answer: Answer) -> np.ndarray | float:
        """What the thresholds of each row are multiples of, (B, 1)."""
        return 1.0 if self.spread is None else self.spread.of(answer["value"])[:, None]

    def of(self, group: RowGroup) -> Limits:
        """The thresholds that hold for a kind of row; a label that few of its rows had, and a kind
        that few rows were of, has those of a larger kind.
        """
        own = self.own.get(group, self.others or self.every)
        pairs = zip(own.limit_K, self.every.limit_K, strict=True)
        return Limits(own.rows, tuple(e if isinf(o) else o for o, e in pairs))

    @property
    def useful(self) -> bool:
        """Whether anything can be ruled out at all."""
        return any(not isinf(limit) for limit in self.every.limit_K)

    def apply(self, answer: Answer, groups: Sequence[RowGroup]) -> Answer:
        """What the thresholds say of rows of these kinds.

        `set` (B, C) bool: classes, or labels, that cannot be ruled out. `low` and `high` (B,): ends
        of an interval, on the scale of `value`.
        """
        known = {group: self.of(group).limit_K for group in dict.fromkeys(groups)}
        limit_BK = np.array([known[group] for group in groups]).reshape(len(groups), -1)
        match self.method:
            case "lac" | "aps" | "raps":
                score_BC = class_scores(answer["probability"], self.method)
                return {"set": within(score_BC, limit_BK[:, 0])}
            case "labels":
                score_BC = label_scores(answer["probability"])
                return {"set": within(score_BC - limit_BK, 0.0)}
            case "residual" | "spread" | "quantiles":
                low_B, high_B = widened(*self.ends(answer), (limit_BK * self.unit(answer))[:, 0])
                return {"low": low_B, "high": high_B}
            case _:
                assert_never(self.method)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON; an infinite threshold is None."""
        return {
            "method": self.method,
            "coverage": self.coverage,
            "every": as_json(self.every),
            "own": [{**g._asdict(), **as_json(limits)} for g, limits in self.own.items()],
            "others": None if self.others is None else as_json(self.others),
            "by": list(self.by),
            "quantiles": self.quantiles,
            "spread": None if self.spread is None else [list(x) for x in self.spread],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The thresholds whose `state` this is."""
        own = {
            RowGroup(tuple(o["missing"]), tuple(o["values"])): from_json(o) for o in state["own"]
        }
        others = None if state["others"] is None else from_json(state["others"])
        ends = None if state["quantiles"] is None else (*state["quantiles"],)
        every, by = from_json(state["every"]), tuple(state["by"])
        spread = state.get("spread")  # form 1 has none
        learned = None if spread is None else Spread(*(tuple(x) for x in spread))
        return cls(state["method"], state["coverage"], every, own, others, by, ends, learned)


def as_json(limits: Limits) -> dict[str, Any]:
    """Limits as JSON."""
    return {"rows": limits.rows, "limits": [None if isinf(x) else x for x in limits.limit_K]}


def from_json(state: Mapping[str, Any]) -> Limits:
    """The limits whose `as_json` this is."""
    return Limits(state["rows"], tuple(inf if x is None else x for x in state["limits"]))


def outer_quantiles(quantiles: Sequence[float]) -> tuple[int, int] | None:
    """Places of the lowest and the highest quantile, where the median lies between them."""
    if not quantiles or not min(quantiles) < 0.5 < max(quantiles):
        return None
    return int(np.argmin(quantiles)), int(np.argmax(quantiles))
