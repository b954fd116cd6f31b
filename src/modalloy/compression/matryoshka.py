"""Shorter embeddings for search: the leading numbers of each vector, after a rotation that puts
most of what tells rows apart in front.

Kusupati et al. 2022 (2205.13147) train vectors whose first numbers suffice. Here the vectors are
finished: they are rotated onto the directions of their second moments (without taking the mean
off, so that all numbers together give the very same similarities), cut, and brought to length 1
again. Where the first numbers as they are suffice for as few, as those of a space that was trained
so, nothing is rotated.
"""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from modalloy.errors import JobError
from modalloy.model.space import Head, Space
from modalloy.retrieval.nearest import nearest

TOP = 10


class Shortened(NamedTuple):
    """How vectors are shortened, and what it costs.

    rotation: (S, L), a vector times this is the short one before it is brought to length 1.
    overlap: share of the nearest rows that stay among the nearest. rotated: or only cut.
    """

    rotation_SL: np.ndarray
    length: int
    overlap: float
    rotated: bool

    def shorten(self, vectors_NS: np.ndarray) -> np.ndarray:
        """Short unit vectors (N, L)."""
        short_NL = vectors_NS.astype(np.float32) @ self.rotation_SL
        return short_NL / np.linalg.norm(short_NL, axis=1, keepdims=True).clip(1e-12)

    def record(self) -> dict[str, Any]:
        """What was done, as JSON."""
        sizes = {"before": len(self.rotation_SL), "after": self.length}
        told = {"lever": "shorten", "overlap": self.overlap, "rotated": self.rotated}
        return told | {"size": sizes}


def shorten(
    vectors_NS: np.ndarray, queries_QS: np.ndarray, share: float, *, top: int = TOP
) -> Shortened:
    """The fewest leading numbers with which this share of each query's nearest rows is found.

    vectors_NS: unit vectors of the rows that are searched; the rotation is taken from them.
    queries_QS: of other rows than these, or of words. share: of
    the `top` nearest by all numbers that are among the `top` nearest by the short ones, mean over
    queries, in (0, 1]. JobError for other shares and for fewer rows than `top`.
    """
    if not 0 < share <= 1:
        raise JobError(f"shortening: share {share:g} is not above 0 and up to 1")
    if len(vectors_NS) < top or not len(queries_QS):
        raise JobError(
            f"shortening: {len(vectors_NS)} rows and {len(queries_QS)} queries cannot say which "
            f"{top} rows are nearest; give more"
        )
    vectors = vectors_NS.astype(np.float32)
    truth_QK = nearest(vectors, queries_QS.astype(np.float32), top).rows
    size = vectors.shape[1]
    found = []
    for rotated, matrix_SS in ((False, np.eye(size, dtype=np.float32)), (True, leading(vectors))):
        length = fewest(vectors, queries_QS, truth_QK, matrix_SS, share)
        cut = Shortened(matrix_SS[:, :length], length, 1.0, rotated)
        found.append(cut._replace(overlap=overlap(vectors, queries_QS, truth_QK, cut.rotation_SL)))
    return min(found, key=lambda cut: cut.length)  # of equal ones the first, which only cuts


def leading(vectors_NS: np.ndarray) -> np.ndarray:
    """Directions of the second moments, the largest first: an orthogonal (S, S)."""
    moment_SS = vectors_NS.T.astype(np.float64) @ vectors_NS.astype(np.float64)
    return np.linalg.eigh(moment_SS)[1][:, ::-1].astype(np.float32)


def fewest(
    vectors_NS: np.ndarray,
    queries_QS: np.ndarray,
    truth_QK: np.ndarray,
    matrix_SS: np.ndarray,
    share: float,
) -> int:
    """The first length that keeps this share, of those in `lengths`."""
    for length in lengths(len(matrix_SS)):
        if overlap(vectors_NS, queries_QS, truth_QK, matrix_SS[:, :length]) >= share:
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
    vectors_NS: np.ndarray, queries_QS: np.ndarray, truth_QK: np.ndarray, rotation_SL: np.ndarray
) -> float:
    """Share of the nearest rows that stay among as many nearest ones, mean over queries."""
    cut = Shortened(rotation_SL, rotation_SL.shape[1], 1.0, True)
    found_QK = nearest(cut.shorten(vectors_NS), cut.shorten(queries_QS), truth_QK.shape[1]).rows
    same = [len(np.intersect1d(a, b)) for a, b in zip(found_QK, truth_QK, strict=True)]
    return float(np.mean(same)) / truth_QK.shape[1]


@torch.no_grad()
def shortened_space(space: Space, cut: Shortened) -> Space:
    """A space whose vectors are the short ones: its heads hold the rotation."""
    made = copy.deepcopy(space)
    made.size = cut.length
    for head in [*made.heads.values(), *([] if made.row is None else [made.row])]:
        turn(head, torch.from_numpy(cut.rotation_SL))
    return made


def turn(head: Head, rotation_SL: torch.Tensor) -> None:
    """Let a head give short vectors, in place; whatever their length was."""
    old, rotation = head.out, rotation_SL.to(next(iter(head.parameters()), rotation_SL).device)
    if isinstance(old, nn.Linear):
        weight, bias = rotation.T @ old.weight, old.bias
    else:  # what it reads is the vector
        weight, bias = rotation.T.clone(), None
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight.copy_(weight)
    if bias is not None:
        made.bias.copy_(rotation.T @ bias)
    head.out = made
    head.plan = head.plan._replace(identity=False, bias=bias is not None)
