"""An index of fewer numbers a row: as few as keep a share of the nearest rows, measured on it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from modalloy.retrieval.nearest import nearest
from modalloy.retrieval.shortened import TOP, Shortened, shorten

SAMPLE = 4000  # vectors that a first length is found by
QUERIES = 100  # rows that are looked for, of each kind of vector
AT_ONCE = 1024
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
    may: be found, (N,) bool. truth: the nearest rows of each by all numbers, (Q, K).
    """

    asked: str
    among: str
    rows: np.ndarray
    may_N: np.ndarray
    truth_QK: np.ndarray


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
        kept = min((overlap(short, pair) for pair in pairs), default=1.0)
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
            truth_QK = found_by(matrices, asked, among, rows, may_N)
            yield Pair(asked, among, rows, may_N, truth_QK)


def found_by(
    matrices: Mapping[str, np.ndarray],
    asked: str,
    among: str,
    rows: np.ndarray,
    may_N: np.ndarray,
) -> np.ndarray:
    """The nearest rows of each row, (Q, K); among vectors of its own kind not the row itself."""
    queries_QS = matrices[asked][rows].astype(np.float32)
    found = nearest(matrices[among], queries_QS, TOP + 1, allowed_N=may_N).rows
    if asked != among:
        return found[:, :TOP]
    return np.stack([np.append(f[f != r], -1)[:TOP] for f, r in zip(found, rows, strict=True)])


def overlap(matrices: Mapping[str, np.ndarray], pair: Pair) -> float:
    """Share of the nearest rows that stay among the nearest."""
    found_QK = found_by(matrices, pair.asked, pair.among, pair.rows, pair.may_N)
    same = [len(np.intersect1d(a, b)) for a, b in zip(found_QK, pair.truth_QK, strict=True)]
    return float(np.mean(same)) / pair.truth_QK.shape[1]


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
