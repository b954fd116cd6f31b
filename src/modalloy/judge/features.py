"""Rows in, plain features out: what a careful engineer would hand to gradient boosting.

Numbers as they are, category codes, time parts, TF-IDF of texts, simple statistics of pictures,
sounds and sensor series. Everything that is fitted is fitted on training rows.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from modalloy.table.audio import AudioReader
from modalloy.table.category import CategoryReader
from modalloy.table.image import ImageReader
from modalloy.table.reader import Cells, Reader
from modalloy.table.series import SeriesReader

PIXELS = 64  # pictures are looked at in this size
WIDE = 128  # blocks with more features are reduced ...
KEPT = 48  # ... to this many directions
CODES = 200  # categories with more names count as numbers: scikit-learn stops at 255

CellsOf = Callable[[Sequence[str], np.ndarray], Cells]


class Block(NamedTuple):
    """Features of one column for B rows: numbers (B, F) with NaN where absent, or B texts."""

    name: str
    values: np.ndarray | list[str]
    codes: bool = False  # numbers of categories
    plain: bool = False  # a number, category or time: no encoder has features of it
    wide: bool = False  # never reduced


def read_blocks(readers: Mapping[str, Reader], cells_of: CellsOf, rows: np.ndarray) -> list[Block]:
    """One block a reader, rows in the order asked for; media are read in threads."""
    return [read_block(reader, cells_of(reader.columns, rows)) for reader in readers.values()]


def read_block(reader: Reader, cells: Cells) -> Block:
    """Plain features of one column."""
    match reader:
        case CategoryReader():
            few = len(reader.names) < CODES
            return Block(reader.name, numbers(reader, cells), codes=few, plain=True)
        case ImageReader():
            return Block(reader.name, media(replace(reader, pixels=PIXELS), cells, of_picture))
        case AudioReader():
            return Block(reader.name, media(reader, cells, of_sound))
        case SeriesReader():
            return Block(reader.name, media(reader, cells, of_series))
        case Reader(kind="text" | "tokens"):
            return Block(reader.name, [as_text(c) for c in cells[reader.name]])
        case _:
            plain = reader.kind in ("number", "time")
            return Block(reader.name, numbers(reader, cells), plain=plain)


def join_blocks(
    blocks: Sequence[Block], rows: int, fit: np.ndarray, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """All features of all rows, (B, F), and which of them are category codes, (F,).

    fit: positions of the training rows; texts and wide blocks are reduced by what is seen there.
    """
    parts = [np.zeros((rows, 1))]  # so that a table without a usable feature has one
    codes = [False]
    for block in blocks:
        x_BF = block.values
        if isinstance(x_BF, list):
            x_BF = of_texts(x_BF, fit, seed)
        elif x_BF.shape[1] > WIDE and not block.wide:
            x_BF = reduce(x_BF, fit, KEPT, seed)
        parts.append(x_BF)
        codes += [block.codes] * x_BF.shape[1]
    return np.concatenate(parts, axis=1), np.array(codes)


def numbers(reader: Reader, cells: Cells) -> np.ndarray:
    """A plain column's own arrays, (B, F), NaN where absent."""
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
        read = reader.read(Cells(cell, cells.folder, cells.allow_outside))
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


def of_texts(texts: list[str], fit: np.ndarray, seed: int) -> np.ndarray:
    """Leading directions of TF-IDF over words and pairs of words, (B, up to 48)."""
    x_BF = tfidf(texts, fit)
    if x_BF is None:
        return np.zeros((len(texts), 0))
    if min(len(fit), x_BF.shape[1]) <= KEPT:
        return x_BF.toarray()[:, :WIDE]
    svd: Any = TruncatedSVD(KEPT, random_state=seed)
    return svd.fit(x_BF[fit]).transform(x_BF)


def tfidf(texts: list[str], fit: np.ndarray) -> csr_matrix | None:
    """Words and pairs of words of B texts by how much they tell, sparse (B, up to 20,000).

    None where no training text holds a word.
    """
    seen = [texts[i] for i in fit]
    if not any(re.search(r"\w", t) for t in seen):
        return None
    model: Any = TfidfVectorizer(
        token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), max_features=20_000, sublinear_tf=True
    )
    return model.fit(seen).transform(texts).tocsr()


def reduce(x_BF: np.ndarray, fit: np.ndarray, kept: int, seed: int) -> np.ndarray:
    """Leading directions of many features, (B, kept); what is absent counts as the mean."""
    known = np.isfinite(x_BF[fit])
    mean_F = np.where(known, x_BF[fit], 0.0).sum(0) / np.maximum(known.sum(0), 1)
    x_BF = np.where(np.isfinite(x_BF), x_BF, mean_F)
    scale_F = x_BF[fit].std(0)
    x_BF = (x_BF - mean_F) / np.where(scale_F > 0, scale_F, 1.0)
    kept = min(kept, len(fit), x_BF.shape[1])
    pca: Any = PCA(kept, svd_solver="randomized", random_state=seed)
    return pca.fit(x_BF[fit]).transform(x_BF)


def of_picture(reader: Reader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Size, histogram and moments of each colour, an 8 x 8 thumbnail, edges at two scales."""
    x_CHW = values["pixels"].astype(np.float32) / 255.0
    shares = [np.histogram(x_HW, bins=8, range=(0.0, 1.0))[0] / x_HW.size for x_HW in x_CHW]
    grey_HW = x_CHW.mean(0)
    small_HW = grey_HW.reshape(8, PIXELS // 8, 8, PIXELS // 8).mean((1, 3))
    edges = []
    for scale in (1, 4):
        side = PIXELS // scale
        y_HW = grey_HW.reshape(side, scale, side, scale).mean((1, 3))
        for axis in (0, 1):
            step = np.abs(np.diff(y_HW, axis=axis))
            edges += [step.mean(), step.std(), step.max()]
    moments = [m for x_HW in x_CHW for m in (x_HW.mean(), x_HW.std())]
    return np.concatenate([values["size"], *shares, small_HW.ravel(), moments, edges])


def of_sound(reader: AudioReader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Length, loudness, zero crossings, and mean and spread over time of 24 bands' log energy."""
    x_L = values["wave"][: int(values["length"])].astype(np.float64)
    size = 512
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x_L, (0, size)), size)[:: size // 2]
    power_TF = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    edges = np.unique(np.geomspace(1, power_TF.shape[1], 25).astype(int))
    bands_TK = np.log(1e-8 + np.add.reduceat(power_TF[:, 1:], edges[:-1] - 1, axis=1))
    crossings = np.mean(np.signbit(x_L[1:]) != np.signbit(x_L[:-1])) if len(x_L) > 1 else 0.0
    whole = [
        len(x_L) / reader.rate_hz,
        np.log(1e-8 + np.mean(x_L**2)),
        crossings,
        np.abs(x_L).max(),
    ]
    return np.concatenate([whole, bands_TK.mean(0), bands_TK.std(0)])


def of_series(reader: Reader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of each channel: moments, quantiles, last sample, slope, and log energy of eight bands.

    With more than eight channels: mean, deviation, ends and last sample alone.
    """
    x_CL = values["x"][:, values["mask"]].astype(np.float64)
    last_C, mean_C, std_C = x_CL[:, -1], x_CL.mean(1), x_CL.std(1)
    low_CQ = np.quantile(x_CL, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    if len(x_CL) > 8:
        return np.concatenate([mean_C, std_C, low_CQ[0], low_CQ[-1], last_C])
    time_L = np.linspace(-1.0, 1.0, x_CL.shape[1])
    slope_C = (x_CL * time_L).mean(1) / (time_L**2).mean()
    power_CF = np.abs(np.fft.rfft(x_CL - mean_C[:, None], n=max(64, x_CL.shape[1]), axis=1)) ** 2
    edges = np.unique(np.geomspace(1, power_CF.shape[1], 9).astype(int))
    bands_CK = np.log(1e-8 + np.add.reduceat(power_CF[:, 1:], edges[:-1] - 1, axis=1))
    # Peaks over the mean square (crest, kurtosis) tell knocking bearings from noisy ones.
    centred_CL = x_CL - mean_C[:, None]
    fourth_C = (centred_CL**4).mean(1) / np.maximum(std_C**4, 1e-12)
    stats = [mean_C, std_C, x_CL.min(1), x_CL.max(1), fourth_C, last_C, slope_C]
    return np.concatenate([*stats, low_CQ.ravel(), bands_CK.ravel()])


def as_text(cell: Any) -> str:
    """A text cell, or the words of a tokens cell; "" where there is none."""
    if isinstance(cell, np.ndarray | list | tuple):
        return " ".join(map(str, cell))
    return cell if isinstance(cell, str) else ""
