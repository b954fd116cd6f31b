"""Tabular features of any column, as a careful engineer would hand them to gradient boosting.

Numbers as they are, category codes, time parts, TF-IDF of texts, simple statistics of pictures,
sounds and sensor series. Everything that is fitted is fitted on training rows.
"""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_numbers
from modalloy.cells.values import spelled
from modalloy.classical.rows import CellsOf
from modalloy.judge.baselines.statistics import LARGEST, PIXELS, of_picture, of_series, of_sound
from modalloy.readers.audio import AudioReader
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader, to_log
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader

WIDE = 320  # blocks with more features are reduced ...
KEPT = 64  # ... to this many directions, of few rows to a quarter as many as there are
FEW = 8  # directions at least
CODES = 200  # codes of a category; rarer names share one: scikit-learn stops at 255
WORDS = 20_000  # words, pairs of words and letters that texts are counted in, at most


class FeatureBlock(NamedTuple):
    """Features of one input for B rows: numbers (B, F) with NaN where absent, or B texts."""

    name: str
    values: np.ndarray | list[str]
    codes: bool = False  # numbers of categories
    plain: bool = False  # a number, category or time: no encoder has features of it
    reduced: bool = False  # leading directions of many features


def read_block(reader: Reader, cells_of: CellsOf, rows: np.ndarray) -> FeatureBlock:
    """Plain features of one column, rows in the order asked for; media are read in threads."""
    cells = cells_of(reader.columns, rows)
    match reader:
        case CategoryReader():
            return FeatureBlock(reader.name, numbers(reader, cells), codes=True, plain=True)
        case NumberReader():
            return FeatureBlock(reader.name, as_they_are(reader, cells), plain=True)
        case ImageReader():
            return FeatureBlock(
                reader.name, media(replace(reader, pixels=PIXELS), cells, of_picture)
            )
        case AudioReader():
            return FeatureBlock(reader.name, media(reader, cells, of_sound))
        case SeriesReader():
            return FeatureBlock(reader.name, media(reader, cells, of_series))
        case Reader(kind="text" | "tokens"):
            return FeatureBlock(reader.name, [as_text(c) for c in cells[reader.name]])
        case _:
            return FeatureBlock(reader.name, numbers(reader, cells), plain=reader.kind == "time")


def join_blocks(
    blocks: Sequence[FeatureBlock], rows: int, fit: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """All features of all rows, (B, F), and which of them are category codes, (F,).

    fit: positions of the training rows; texts and wide blocks are reduced by what is seen there.
    """
    parts = [np.zeros((rows, 1))]  # so that a table without a usable feature has one
    codes = [False]
    for block in blocks:
        x_BF = numbers_of(block, fit, int(np.clip(len(fit) // 4, FEW, KEPT)), seed)
        parts.append(x_BF)
        codes += [block.codes] * x_BF.shape[1]
    return np.concatenate(parts, axis=1), np.array(codes)


def numbers_of(block: FeatureBlock, fit: np.ndarray, kept: int, seed: int) -> np.ndarray:
    """A block as numbers, (B, F): texts and wide ones as `kept` directions, rare codes as one."""
    x_BF = block.values
    if isinstance(x_BF, list):
        return of_texts(x_BF, fit, kept, seed)
    if block.codes:
        return np.stack([commonest_codes(x_B, fit) for x_B in x_BF.T], axis=1)
    # More features than rows are mostly chance to a tree, and its time goes into looking at them.
    most = max(kept, min(WIDE, len(fit)))
    return reduce(x_BF, fit, kept, seed) if x_BF.shape[1] > most else x_BF


def commonest_codes(x_B: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Codes of one category from 1 on, by how many training rows have them; 0 for all rare ones."""
    seen, counts = np.unique(x_B[fit][np.isfinite(x_B[fit])], return_counts=True)
    common = np.sort(seen[np.argsort(-counts, kind="stable")[: CODES - 1]])
    at_B = np.searchsorted(common, x_B).clip(0, max(0, len(common) - 1))
    same_B = common[at_B] == x_B if len(common) else np.zeros(len(x_B), bool)
    return np.where(np.isfinite(x_B), np.where(same_B, at_B + 1, 0), np.nan)


def as_they_are(reader: NumberReader, cells: Cells) -> np.ndarray:
    """Numbers in units of their spread, (B, 1): not bent towards the middle as for a network."""
    x_B = to_numbers(cells[reader.name], cells.decimal)
    with np.errstate(over="ignore", invalid="ignore"):
        z_B = ((to_log(x_B) if reader.log else x_B) - reader.center) / reader.scale
    return np.where(np.isfinite(x_B), np.clip(z_B, -LARGEST, LARGEST), np.nan)[:, None]


def numbers(reader: Reader, cells: Cells) -> np.ndarray:
    """A tabular column's own arrays, (B, F), NaN where absent."""
    read = reader.read(cells)
    x_BF = np.asarray(read.values["x"], dtype=np.float64).reshape(len(read.present), -1)
    x_BF[~read.present] = np.nan
    return x_BF


def media(
    reader: Reader, cells: Cells, features: Callable[[Any, dict[str, np.ndarray]], np.ndarray]
) -> np.ndarray:
    """Statistics of each row's medium, (B, F), NaN where absent; one row is read at a time."""

    def one(row: int) -> np.ndarray | None:
        cell = {c: [cells[c][row]] for c in reader.columns}
        read = reader.read(replace(cells, columns=cell))
        values = {n: a[0] for n, a in read.values.items()}
        return features(reader, values) if read.present[0] else None

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    with ThreadPoolExecutor(max_workers=max(1, min(8, threads))) as pool:
        found = list(pool.map(one, range(len(cells))))
    width = max((len(f) for f in found if f is not None), default=1)
    x_BF = np.full((len(found), width), np.nan)
    for x_F, f in zip(x_BF, found, strict=True):
        if f is not None:
            x_F[:] = f
    return x_BF


def of_texts(texts: list[str], fit: np.ndarray, kept: int, seed: int) -> np.ndarray:
    """Leading directions of TF-IDF, (B, up to `kept`)."""
    x_BF = tfidf(texts, fit)
    if x_BF is None:
        return np.zeros((len(texts), 0))
    kept = min(kept, len(fit) - 1, x_BF.shape[1] - 1)
    if kept < 1:
        return x_BF.toarray()
    svd: Any = TruncatedSVD(kept, random_state=seed)
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance that may be 0
        return svd.fit(x_BF[fit]).transform(x_BF)


def tfidf(texts: list[str], fit: np.ndarray) -> csr_matrix | None:
    """Words, pairs of words and groups of 3 to 5 letters of B texts by how much they tell.

    Sparse, (B, up to twice WORDS), rows of norm 1. None where no training text holds a word.
    """
    seen = [texts[i] for i in fit]
    if not any(re.search(r"\w", t) for t in seen):
        return None
    shared: dict[str, Any] = {"max_features": WORDS, "sublinear_tf": True}
    kinds: list[Any] = [
        TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), **shared),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared),
    ]
    parts = [kind.fit(seen).transform(texts) for kind in kinds]
    return (hstack(parts) / len(parts) ** 0.5).tocsr()


def standard(x_BF: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1 over the training rows; absent features as the mean."""
    known_NF = np.isfinite(x_BF[fit])
    mean_F = np.where(known_NF, x_BF[fit], 0.0).sum(0) / np.maximum(known_NF.sum(0), 1)
    x_BF = np.where(np.isfinite(x_BF), x_BF, mean_F)
    scale_F = x_BF[fit].std(0)
    return (x_BF - mean_F) / np.where(scale_F > 0, scale_F, 1.0)


def reduce(x_BF: np.ndarray, fit: np.ndarray, kept: int, seed: int) -> np.ndarray:
    """Leading directions of many features, (B, kept); what is absent counts as the mean."""
    x_BF = standard(x_BF, fit)
    kept = min(kept, len(fit), x_BF.shape[1])
    pca: Any = PCA(kept, svd_solver="randomized", random_state=seed)
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance that may be 0
        return pca.fit(x_BF[fit]).transform(x_BF)


def as_text(cell: Any) -> str:
    """A text cell, or the words of a tokens cell; "" where there is none."""
    if isinstance(cell, np.ndarray | list | tuple):
        return " ".join(map(str, cell))
    return cell if isinstance(cell, str) else spelled(cell) or ""
