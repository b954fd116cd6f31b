"""Rows of a set dealt out to sites, as unevenly as a Dirichlet distribution says, or evenly."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

NAMES = "ABCDEFGHIJ"


def dealt(
    rows: pd.DataFrame, by: str, sites: int, alpha: float | None, seed: int
) -> dict[str, pd.DataFrame]:
    """Each class is shared out by a draw of its own (Hsu et al. 2019, 1909.06335); every part of
    the split alike. alpha: small is uneven; None deals evenly."""
    draw = np.random.default_rng(seed)
    owner = np.zeros(len(rows), dtype=int)
    labels = rows[by].to_numpy()
    for label in pd.unique(labels):
        share = np.full(sites, 1.0 / sites) if alpha is None else draw.dirichlet([alpha] * sites)
        for part in pd.unique(rows["split"]):
            at = draw.permutation(np.flatnonzero((labels == label) & (rows["split"] == part)))
            ends = np.floor(np.cumsum(share) * len(at) + draw.random()).astype(int)
            owner[at] = np.searchsorted(ends, np.arange(len(at)), side="right").clip(0, sites - 1)
    return {NAMES[i]: rows[owner == i].reset_index(drop=True) for i in range(sites)}


def without(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows of a site that has none of these columns."""
    return rows.drop(columns=[*columns])
