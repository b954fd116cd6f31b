"""What a run knows of the rows that it learned from, and how unlike them other rows are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import View
from modalloy.unlike.space import Space, Tail

TOGETHER = "all together"  # no column is unlike, what they say together is


class Judged(NamedTuple):
    """A space, and how rare distances in it are."""

    space: Space
    tail: Tail


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
    of rows like those of training that may be called unlike. limit: the rarity that this takes, of
    a row's rarest space. said: what the limit comes from, for the report.
    """

    columns: Mapping[str, Judged]
    names: Sequence[str]
    patterns_PN: np.ndarray
    fused: Sequence[Judged]
    share: float
    limit: float
    said: Mapping[str, int | str]

    def judge(self, view: View) -> Unlikeness:
        """How unlike rows are: each by the cells that it has."""
        rarity_BS = self.rarity(view)
        names = [*self.columns, TOGETHER]
        rarest_B = np.fmax.reduce(rarity_BS, axis=1)
        score_B = rarest_B / self.limit
        own_BS = np.nan_to_num(rarity_BS[:, :-1], nan=-1.0)
        alone = -np.log10(self.share)
        column = []
        for score, own_S in zip(score_B, own_BS, strict=True):
            s = int(own_S.argmax()) if len(own_S) else -1
            named = names[s] if s >= 0 and own_S[s] >= alone else TOGETHER
            column.append(named if score > 1.0 else "")
        return Unlikeness(score_B, column)

    def rarity(self, view: View) -> np.ndarray:
        """-log10 of how rare each row is in each column's space, and fused: (B, S + 1)."""
        rows = len(view)
        rarity_BS = np.full((rows, len(self.columns) + 1), np.nan)
        for s, (name, (space, tail)) in enumerate(self.columns.items()):
            if name in view.columns:
                rarity_BS[:, s] = tail.rarity(space.distances(view.columns[name]))
        pattern_B = pattern_of(self.patterns_PN, view.present_BN)
        for p, (space, tail) in enumerate(self.fused):
            own = np.flatnonzero(pattern_B == p)
            rarity_BS[own, -1] = tail.rarity(space.distances(view.fused_BD[own]))
        return rarity_BS


def pattern_of(patterns_PN: np.ndarray, present_BN: np.ndarray) -> np.ndarray:
    """The pattern of missing cells that each row has, (B,); -1 where it is none of these."""
    found_B = np.full(len(present_BN), -1)
    for p, present_N in enumerate(patterns_PN):
        found_B[(present_BN == present_N).all(1)] = p
    return found_B
