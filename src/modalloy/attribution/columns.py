"""What each column of a row adds to an answer: a game whose players are the columns' cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.game import EXACT_UP_TO, PAIRS, Shares, share_out
from modalloy.attribution.outcome import Outcome

SMALLEST = 1e-6  # share of the largest value that is no more than rounding


@dataclass(frozen=True)
class ColumnShares:
    """Shapley values of the columns of one row, in the unit of what is explained.

    columns: those whose cell is there; an empty cell adds nothing and is no player. shares: in
    their order. absent: the columns without a cell.
    """

    columns: list[str]
    shares: Shares
    absent: list[str]

    @property
    def order(self) -> list[int]:
        """Positions of the columns, the one that adds most (or takes most) first."""
        return np.argsort(-np.abs(self.shares.value_N), kind="stable").tolist()

    @property
    def moved(self) -> list[str]:
        """The columns that add or take anything at all."""
        small = SMALLEST * float(np.abs(self.shares.value_N).max(initial=0.0))
        both = zip(self.columns, self.shares.value_N, strict=True)
        return [c for c, v in both if abs(v) > small]

    def pairs(self, most: int = 5) -> list[tuple[str, str, float]]:
        """The pairs that do most together beyond what each does alone."""
        pair_NN = self.shares.pair_NN
        if pair_NN is None or len(self.columns) < 2:
            return []
        i_P, j_P = np.triu_indices(len(self.columns), 1)
        size_P = pair_NN[i_P, j_P]
        order = np.argsort(-np.abs(size_P), kind="stable")[:most]
        return [(self.columns[i_P[k]], self.columns[j_P[k]], float(size_P[k])) for k in order]


def share_columns(
    asked: AskedRow,
    outcome: Outcome,
    *,
    exact_up_to: int = EXACT_UP_TO,
    pairs: int = PAIRS,
    seed: int = 0,
) -> ColumnShares:
    """Shapley values of a row's cells: a hidden one is as though it had been missing, which the
    run has learned to answer (MM-SHAP, Parcalabescu & Frank 2023, 2212.08158, plays the same game
    with single patches and words hidden).
    """
    columns = asked.columns

    def worth(seen_SN: np.ndarray) -> np.ndarray:
        return outcome.worth(asked, [away(columns, seen_N) for seen_N in seen_SN])

    shares = share_out(len(columns), worth, exact_up_to=exact_up_to, pairs=pairs, seed=seed)
    return ColumnShares(columns, shares, [c for c in asked.run.readers if c not in columns])


def away(columns: Sequence[str], seen_N: np.ndarray) -> frozenset[str]:
    """The columns that a coalition leaves out."""
    return frozenset(c for c, seen in zip(columns, seen_N, strict=True) if not seen)
