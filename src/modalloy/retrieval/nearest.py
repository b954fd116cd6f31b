"""The rows nearest to some vectors: exact cosine over a matrix that stays on disk, block by block.

Half-precision numbers are read as they lie in the file's pages and made single in a block that fits
a processor's cache, so that a million rows cost hardly more than reading them.
"""

import warnings
from typing import NamedTuple

import numpy as np
import torch

BLOCK = 4096  # rows that are compared at a time: 4 MB of 256 numbers
MOST_SCORES = 32_000_000  # of all queries at a time: 128 MB


class Nearest(NamedTuple):
    """The best rows of each of Q vectors, best first: numbers and scores, (Q, K); where a filter
    leaves fewer than K, the rest is -1 and -inf.
    """

    rows: np.ndarray
    scores: np.ndarray


def nearest(
    matrix_NS: np.ndarray,
    vectors_QS: np.ndarray,
    top: int,
    *,
    allowed_N: np.ndarray | None = None,
) -> Nearest:
    """The rows of a matrix of unit vectors, perhaps memory-mapped, with the highest cosines.

    allowed_N: rows that may be found, all for None. Of equal scores the earlier row comes first.
    """
    found = []
    step = max(1, MOST_SCORES // max(1, len(matrix_NS)))
    for start in range(0, max(1, len(vectors_QS)), step):
        scores_QN = similarities(matrix_NS, vectors_QS[start : start + step])
        if allowed_N is not None:
            scores_QN[:, ~allowed_N] = -np.inf
        found.append(best(scores_QN, top))
    return Nearest(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def similarities(matrix_NS: np.ndarray, vectors_QS: np.ndarray) -> np.ndarray:
    """Inner products of every vector with every row, (Q, N) float32."""
    queries_QS = torch.from_numpy(np.array(vectors_QS, dtype=np.float32))
    with warnings.catch_warnings():  # a file that is only read cannot be written: as it should be
        warnings.simplefilter("ignore", UserWarning)
        held_NS = torch.from_numpy(matrix_NS)
    count, size = held_NS.shape
    out_QN = torch.empty(len(queries_QS), count)
    block_BS = torch.empty(BLOCK, size)
    for start in range(0, count, BLOCK):
        some = held_NS[start : start + BLOCK]
        wide = block_BS[: len(some)].copy_(some)
        if len(queries_QS) == 1:
            torch.mv(wide, queries_QS[0], out=out_QN[0, start : start + len(some)])
        else:
            out_QN[:, start : start + len(some)] = queries_QS @ wide.T
    return out_QN.numpy()


def best(scores_QN: np.ndarray, top: int) -> Nearest:
    """The highest scores of each line, best first."""
    count = scores_QN.shape[1]
    top = min(top, count)
    some = np.argpartition(-scores_QN, top - 1, axis=1)[:, :top] if top < count else None
    if some is None:
        some = np.tile(np.arange(count), (len(scores_QN), 1))
    some = np.sort(some, axis=1)  # so that a stable sort puts the earlier of equal rows first
    found = np.take_along_axis(scores_QN, some, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")[:, :top]
    rows, scores = (np.take_along_axis(x, order, axis=1) for x in (some, found))
    return Nearest(np.where(np.isfinite(scores), rows, -1), scores)
