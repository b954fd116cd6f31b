"""An index of fewer numbers a row: as few as keep a share of the nearest rows, measured on it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from modalloy.retrieval.nearest import Nearest, nearest
from modalloy.retrieval.shortened import TOP, Shortened, shorten, still_near

SAMPLE = 4000  # vectors that a first length is found by
QUERIES = 100  # rows that are looked for, of each kind of vector
AT_ONCE = 1024
SLACK = 1e-3  # of a cosine of vectors in half precision
ROTATION = "rotation.npy"


class Short(NamedTuple):
    """How short an index is. share: of the nearest rows that it had to keep. kept: that it keeps,
    of the kind of search that keeps least. queries: that were asked in all. before: numbers of a
    vector without it.
    """

    share: float
    kept: float
    queries: int
    before: int

    def text(self, size: int) -> str:
        """A sentence for whoever searches. size: numbers of a vector."""
        return (
            f"this index keeps {size} of {self.before} numbers a row: of the {TOP} rows that are "
            f"nearest by all numbers {self.kept:.1%} are among its {TOP} nearest, by "
            f"{self.queries} queries; --rebuild without --shorten keeps all"
        )


class Pair(NamedTuple):
    """One kind of search: vectors of `asked` look among those of `among`. rows: that are asked for.
    may: be found, (N,) bool. edge: how near the tenth of the nearest rows is by all numbers, (Q,).
    """

    asked: str
    among: str
    rows: np.ndarray
    may_N: np.ndarray
    edge_Q: np.ndarray


def shorten_index(
    folder: Path,
    matrices: Mapping[str, np.ndarray],
    have: Mapping[str, np.ndarray],
    share: float,
    *,
    whole: str | None,
) -> tuple[Short, int]:
    """Write short vectors in place of the long ones, and the rotation that makes them so; what it
    costs, and their length.

    matrices: of a folder, file -> (N, S) unit vectors; have: file -> which rows have one, (N,).
    share: of the ten nearest rows of each that every kind of search has to keep, in (0, 1].
    whole: the file that vectors of all others are looked for in, too; None where those have nothing
    in common. TableError for a share that there is none of, and for too few rows.
    """
    pairs = list(searches(matrices, have, whole))
    cut = first_length(matrices, have, share)
    before = len(cut.matrix_SS)
    while True:
        short = {name: write_short(folder / name, x, cut) for name, x in matrices.items()}
        kept = min((overlap(matrices, short, pair) for pair in pairs), default=1.0)
        if kept >= share or cut.length == before:
            break
        cut = cut.longer()
    np.save(folder / ROTATION, cut.rotation_SL)
    for name in short:
        (folder / f"{name}.short").replace(folder / name)
    return Short(share, kept, sum(len(p.rows) for p in pairs), before), cut.length


def searches(
    matrices: Mapping[str, np.ndarray], have: Mapping[str, np.ndarray], whole: str | None
) -> Iterator[Pair]:
    """Every kind of search with rows to ask for: each kind of vector among its own, and among whole
    rows where they have a space in common.
    """
    draw = np.random.default_rng(0)
    kinds = [(n, n) for n in matrices] + [(n, whole) for n in matrices if whole not in (None, n)]
    for asked, among in kinds:
        assert among is not None, "None was left out"
        able = np.flatnonzero(have[asked] & have[among])
        if len(able) > TOP:
            rows = np.sort(draw.permutation(able)[:QUERIES])
            may_N = have[among]
            found_QK, score_QK = found_by(matrices, asked, among, rows, may_N)
            last_Q = (found_QK >= 0).sum(1, keepdims=True) - 1
            edge_Q = np.take_along_axis(score_QK, last_Q, axis=1)[:, 0]
            yield Pair(asked, among, rows, may_N, edge_Q)


def found_by(
    matrices: Mapping[str, np.ndarray],
    asked: str,
    among: str,
    rows: np.ndarray,
    may_N: np.ndarray,
) -> Nearest:
    """The nearest rows of each row, (Q, K); among vectors of its own kind not the row itself."""
    queries_QS = matrices[asked][rows].astype(np.float32)
    found = nearest(matrices[among], queries_QS, TOP + 1, allowed_N=may_N)
    if asked == among:  # the row itself goes last, among equals, and is cut off
        own_QK = found.rows == rows[:, None]
        order = np.argsort(own_QK, axis=1, kind="stable")
        found = Nearest(*(np.take_along_axis(x, order, axis=1) for x in found))
    return Nearest(found.rows[:, :TOP], found.scores[:, :TOP])


def overlap(
    matrices: Mapping[str, np.ndarray], short: Mapping[str, np.ndarray], pair: Pair
) -> float:
    """Share of the rows found by short vectors that are as near by all numbers as the tenth is."""
    found_QK = found_by(short, pair.asked, pair.among, pair.rows, pair.may_N).rows
    queries_QS = matrices[pair.asked][pair.rows]
    return still_near(matrices[pair.among], queries_QS, found_QK, pair.edge_Q, SLACK)


def first_length(
    matrices: Mapping[str, np.ndarray], have: Mapping[str, np.ndarray], share: float
) -> Shortened:
    """How a sample of all vectors is shortened, a tenth of which is looked for in the others."""
    draw, most = np.random.default_rng(1), max(1, SAMPLE // len(matrices))
    taken = []
    for name, matrix in matrices.items():
        rows = np.sort(draw.permutation(np.flatnonzero(have[name]))[:most])
        taken.append(np.asarray(matrix[rows], dtype=np.float32))
    mixed_NS = draw.permutation(np.concatenate(taken))
    asked = -(-len(mixed_NS) // 10)
    return shorten(mixed_NS[asked:], mixed_NS[:asked], share)


def write_short(path: Path, matrix_NS: np.ndarray, cut: Shortened) -> np.ndarray:
    """The short vectors of a matrix beside its file, some at a time."""
    shape = (len(matrix_NS), cut.length)
    short_NL = open_memmap(path.with_name(f"{path.name}.short"), "w+", np.float16, shape)
    for start in range(0, len(matrix_NS), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        short_NL[some] = cut.shorten(np.asarray(matrix_NS[some]))
    short_NL.flush()
    return short_NL
