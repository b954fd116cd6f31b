"""Shorter embeddings for search: the leading numbers of each vector, after a rotation that puts
most of what tells rows apart in front.

Kusupati et al. 2022 (2205.13147) train vectors whose first numbers suffice. Here the vectors are
finished: they are rotated onto the directions of their second moments (without taking the mean
off, so that all numbers together give the very same similarities), cut, and brought to length 1
again. Where the first numbers as they are suffice for as few, as those of a space that was trained
so, nothing is rotated.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np

from modalloy.errors import TableError
from modalloy.retrieval.nearest import nearest

TOP = 10


class Shortened(NamedTuple):
    """How vectors are shortened, and what it costs.

    matrix: (S, S), of which the first `length` directions are kept. overlap: share of the nearest
    rows that stay among the nearest. rotated: or only cut.
    """

    matrix_SS: np.ndarray
    length: int
    overlap: float
    rotated: bool

    @property
    def rotation_SL(self) -> np.ndarray:
        """A vector times this is the short one before it is brought to length 1."""
        return self.matrix_SS[:, : self.length]

    def longer(self) -> Self:
        """The same with the next length that is tried, all numbers at most."""
        tried = [n for n in lengths(len(self.matrix_SS)) if n > self.length]
        return self._replace(length=min(tried, default=self.length))

    def shorten(self, vectors_NS: np.ndarray) -> np.ndarray:
        """Short unit vectors (N, L)."""
        return shortened(vectors_NS, self.rotation_SL)


def shorten(
    vectors_NS: np.ndarray, queries_QS: np.ndarray, share: float, *, top: int = TOP
) -> Shortened:
    """The fewest leading numbers with which this share of each query's nearest rows is found.

    vectors_NS: unit vectors of the rows that are searched; the rotation is taken from them.
    queries_QS: of other rows than these, or of words. share: of
    the `top` nearest by all numbers that are among the `top` nearest by the short ones, mean over
    queries, in (0, 1]. TableError for other shares and for fewer rows than `top`.
    """
    if not 0 < share <= 1:
        raise TableError(f"shortening: share {share:g} is not above 0 and up to 1")
    if len(vectors_NS) < top or not len(queries_QS):
        raise TableError(
            f"shortening: {len(vectors_NS)} rows and {len(queries_QS)} queries cannot say which "
            f"{top} rows are nearest; give more"
        )
    vectors = vectors_NS.astype(np.float32)
    edge_Q = nearest(vectors, queries_QS.astype(np.float32), top).scores[:, -1]
    size = vectors.shape[1]
    found = []
    for rotated, matrix_SS in ((False, np.eye(size, dtype=np.float32)), (True, leading(vectors))):
        length = fewest(vectors, queries_QS, edge_Q, top, matrix_SS, share)
        cut = Shortened(matrix_SS, length, 1.0, rotated)
        found.append(
            cut._replace(overlap=overlap(vectors, queries_QS, edge_Q, top, cut.rotation_SL))
        )
    return min(found, key=lambda cut: cut.length)  # of equal ones the first, which only cuts


def leading(vectors_NS: np.ndarray) -> np.ndarray:
    """Directions of the second moments, the largest first: an orthogonal (S, S)."""
    moment_SS = vectors_NS.T.astype(np.float64) @ vectors_NS.astype(np.float64)
    return np.linalg.eigh(moment_SS)[1][:, ::-1].astype(np.float32)


def fewest(
    vectors_NS: np.ndarray,
    queries_QS: np.ndarray,
    edge_Q: np.ndarray,
    top: int,
    matrix_SS: np.ndarray,
    share: float,
) -> int:
    """The first length that keeps this share, of those in `lengths`."""
    for length in lengths(len(matrix_SS)):
        if overlap(vectors_NS, queries_QS, edge_Q, top, matrix_SS[:, :length]) >= share:
            return length
    return len(matrix_SS)


def lengths(size: int) -> Iterator[int]:
    """Lengths that are tried: an eighth longer each time, by eights from 16 on, up to all."""
    length = 1
    while length < size:
        yield length
        longer = max(length + 1, length * 9 // 8)
        length = longer if longer < 16 else -(-longer // 8) * 8
    yield size


def overlap(
    vectors_NS: np.ndarray,
    queries_QS: np.ndarray,
    edge_Q: np.ndarray,
    top: int,
    rotation_SL: np.ndarray,
) -> float:
    """Share of the `top` nearest rows by short vectors that are so near by all numbers, mean over
    queries. edge_Q: how near the last of the nearest rows is by all numbers.
    """
    short_NL, short_QL = (shortened(x, rotation_SL) for x in (vectors_NS, queries_QS))
    found_QK = nearest(short_NL, short_QL, top).rows
    return still_near(vectors_NS, queries_QS, found_QK, edge_Q, 1e-5)


def still_near(
    vectors_NS: np.ndarray,
    queries_QS: np.ndarray,
    found_QK: np.ndarray,
    edge_Q: np.ndarray,
    slack: float,
) -> float:
    """Share of found rows that are as near by all numbers as `edge_Q`, but for `slack`: of rows
    that are equally near any will do.
    """
    near_QKS = vectors_NS[found_QK.clip(0)].astype(np.float32)
    scores_QK = np.einsum("qks,qs->qk", near_QKS, queries_QS.astype(np.float32))
    same_QK = (found_QK >= 0) & (scores_QK >= edge_Q[:, None] - slack)
    return float(same_QK.mean())


def shortened(vectors_NS: np.ndarray, rotation_SL: np.ndarray) -> np.ndarray:
    """Short unit vectors (N, L); those of nothing stay zeros."""
    short_NL = vectors_NS.astype(np.float32) @ rotation_SL
    return short_NL / np.linalg.norm(short_NL, axis=1, keepdims=True).clip(1e-12)
