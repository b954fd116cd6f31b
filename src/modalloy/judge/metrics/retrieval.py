"""How often a vector finds its own row among all: recall at k and the mean reciprocal rank."""

from typing import Any

import numpy as np

AT = (1, 5, 10)
DRAWS = 400  # of rows, for intervals
BLOCK = 1024  # queries that are compared at a time


def own_ranks(query_NS: np.ndarray, found_NS: np.ndarray) -> np.ndarray:
    """The rank of row i among all rows for query i, (N,): 1 where none is nearer.

    Among rows that are as near as its own it stands in the middle, so that constant vectors earn
    nothing.
    """
    ranks = np.zeros(len(query_NS))
    for start in range(0, len(query_NS), BLOCK):
        some = slice(start, start + BLOCK)
        scores = query_NS[some].astype(np.float32) @ found_NS.T.astype(np.float32)
        own = scores[np.arange(len(scores)), np.arange(start, start + len(scores))][:, None]
        ranks[some] = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
    return ranks


def ranked(ranks_N: np.ndarray, candidates: int, *, seed: int = 0) -> dict[str, Any]:
    """Figures of ranks among so many candidates, each with its 95 % interval (bootstrap over
    queries), beside what chance gives.

    Keys: `recall@1`, `recall@5`, `recall@10`, `mrr`, `rows`, `candidates`, `interval`, `chance`.
    """
    kinds = {f"recall@{k}": (ranks_N <= k).astype(float) for k in AT} | {"mrr": 1.0 / ranks_N}
    harmonic = float((1.0 / np.arange(1, candidates + 1)).sum()) / candidates
    chance = {f"recall@{k}": min(1.0, k / candidates) for k in AT} | {"mrr": harmonic}
    draw = np.random.default_rng(seed)
    drawn = draw.integers(0, len(ranks_N), (DRAWS, len(ranks_N)))
    spans = {n: np.quantile(x[drawn].mean(1), [0.025, 0.975]).tolist() for n, x in kinds.items()}
    figures = {name: float(x.mean()) for name, x in kinds.items()}
    rows = {"rows": len(ranks_N), "candidates": candidates}
    return {**figures, **rows, "interval": spans, "chance": chance}
