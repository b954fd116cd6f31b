"""What a run knows of the rows that it learned from, and how unlike them other rows are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, assert_never

import numpy as np

from modalloy.answer.answers import View
from modalloy.unlike.space import Space, Tail

TOGETHER = "all together"  # no column is unlike, what they say together is


Measure = Literal["distance", "rarity"]


class Judged(NamedTuple):
    """A space, and how rare distances in it are. unit: the distance that only a fair part of the
    share that may be called unlike lies beyond."""

    space: Space
    tail: Tail
    unit: float = 1.0

    def score(self, x_BF: np.ndarray, measure: Measure) -> np.ndarray:
        """How far rows are out, (B,); NaN for rows that are not in the space."""
        return self.score_of(self.space.distances(x_BF), measure)

    def score_of(self, distance_B: np.ndarray, measure: Measure) -> np.ndarray:
        """The same of known distances."""
        match measure:
            case "distance":
                return distance_B / self.unit
            case "rarity":
                return self.tail.rarity(distance_B)
            case _:
                assert_never(measure)

    def alone(self, share: float, measure: Measure) -> float:
        """The score beyond which this share of rows lies in this space alone."""
        match measure:
            case "distance":
                return self.tail.distance(share) / self.unit
            case "rarity":
                return float(-np.log10(share))
            case _:
                assert_never(measure)


class Unlikeness(NamedTuple):
    """How unlike B rows are. score_B: above 1 it is unlike; NaN where nothing could be judged.
    column: what is unlike about each row, "" where nothing is: a column, a channel of a series, or
    `TOGETHER`.
    """

    score_B: np.ndarray
    column: list[str]

    @property
    def unlike_B(self) -> np.ndarray:
        """Which rows are unlike, bool."""
        return self.score_B > 1.0


@dataclass(frozen=True)
class Likeness:
    """Training rows by column and fused, and the limit beyond which a row is unlike them.

    columns: what each column's own encoder says, or its cells where it is a number or category.
    names: of all columns, in the order of `patterns`. patterns: sets of missing cells that enough
    training rows have, (P, N) bool, True where a cell is there; rows of other sets are judged by
    their columns alone. fused: for each pattern what the network makes of its rows together. share:
    of rows like those of training that may be called unlike. limit: the score that this takes, of
    a row's farthest space. said: what the limit comes from, for the report. pooled: media columns
    that are seen as their pretrained network pools them, see `projection.py`. measure: what scores
    of spaces are: multiples of a distance in each, or in parts of form 1 rarities.
    """

    columns: Mapping[str, Judged]
    names: Sequence[str]
    patterns_PN: np.ndarray
    fused: Sequence[Judged]
    share: float
    limit: float
    said: Mapping[str, int | str]
    pooled: Sequence[str] = ()
    measure: Measure = "distance"

    def judge(self, view: View) -> Unlikeness:
        """How unlike rows are: each by the cells that it has."""
        score_BS = self.scores(view)
        names = list(self.columns)
        score_B = np.fmax.reduce(score_BS, axis=1) / self.limit
        alone_S = [j.alone(self.share, self.measure) for j in self.columns.values()]
        own_BS = np.nan_to_num(score_BS[:, :-1], nan=-1.0)
        column = []
        for score, own_S in zip(score_B, own_BS, strict=True):
            s = int(own_S.argmax()) if len(own_S) else -1
            named = names[s] if s >= 0 and own_S[s] >= alone_S[s] else TOGETHER
            column.append(named if score > 1.0 else "")
        return Unlikeness(score_B, column)

    def scores(self, view: View) -> np.ndarray:
        """How far out each row is in each column's space, and fused: (B, S + 1)."""
        rows = len(view)
        score_BS = np.full((rows, len(self.columns) + 1), np.nan)
        for s, (name, judged) in enumerate(self.columns.items()):
            if name in view.columns:
                score_BS[:, s] = judged.score(view.columns[name], self.measure)
        pattern_B = pattern_of(self.patterns_PN, view.present_BN)
        for p, judged in enumerate(self.fused):
            own = np.flatnonzero(pattern_B == p)
            score_BS[own, -1] = judged.score(view.fused_BD[own], self.measure)
        return score_BS


def pattern_of(patterns_PN: np.ndarray, present_BN: np.ndarray) -> np.ndarray:
    """The pattern of missing cells that each row has, (B,); -1 where it is none of these."""
    found_B = np.full(len(present_BN), -1)
    for p, present_N in enumerate(patterns_PN):
        found_B[(present_BN == present_N).all(1)] = p
    return found_B
