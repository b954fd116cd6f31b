"""Pairs of thumbnails or texts that are nearly the same."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDE = 32  # pixels of a thumbnail
BITS_APART = 3  # of 64, in each of two hashes
CLOSE = 0.98  # correlation of two thumbnails of 8 x 8 cells
ALIKE = 0.998  # correlation of two thumbnails
STEP = 1.0  # grey levels between neighbouring cells that count as a difference
FLAT = 3.0  # grey levels of spread under which a picture shows nothing
# Red, green and blue to brightness and, at half weight since JPEG coarsens it, colour.
COLOURS = np.array(
    [[0.299, -0.084, 0.25], [0.587, -0.166, -0.209], [0.114, 0.25, -0.041]], dtype=np.float32
)
SHINGLE = 4  # letters
SIMILAR = 0.9  # shared part of the shingles of two texts
LONGEST = 2000  # letters of a text that are compared, fewer where there are many texts:
LETTERS = 10_000_000  # letters of all texts together


# --- pictures ----------------------------------------------------------------------------------


def thumbnail(picture: Image.Image) -> np.ndarray:
    """A small square of any picture, (SIDE, SIDE, 3) uint8."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small.convert("RGB"), dtype=np.uint8)


def flat(thumbs_NHWC: np.ndarray) -> np.ndarray:
    """Which thumbnails show one even colour, (N,) bool."""
    return thumbs_NHWC.std(axis=(1, 2)).max(axis=1, initial=0.0) < FLAT


def hashes(thumbs_NHWC: np.ndarray) -> np.ndarray:
    """Two hashes of 64 bits for each thumbnail, (N, 2) uint64: differences and cosines.

    dHash: whether each of 8 x 9 cells is clearly brighter than its left neighbour. pHash: whether
    each of the 8 x 8 slowest cosines is above their median (Zauner 2010).
    """
    x_NHW = thumbs_NHWC @ COLOURS[:, 0]
    cells_N89 = _averages(8) @ x_NHW @ _averages(9).T
    waves_N64 = (_cosines(8) @ x_NHW @ _cosines(8).T).reshape(-1, 64)
    # The first cosine is the mean brightness: it says nothing about what is seen.
    middle_N1 = np.median(waves_N64[:, 1:], axis=1, keepdims=True)
    brighter_N64 = (np.diff(cells_N89, axis=2) > STEP).reshape(-1, 64)
    return np.stack([_word(brighter_N64), _word(waves_N64 > middle_N1)], axis=1)


def near_pictures(train_NHWC: np.ndarray, test_MHWC: np.ndarray) -> np.ndarray:
    """Pairs (train index, test index) of near-duplicate thumbnails, (P, 2) int64.

    Either hash finds them, the thumbnails themselves confirm: pictures that share only their layout
    stay apart. Even pictures have no twins.
    """
    keep_train, keep_test = np.flatnonzero(~flat(train_NHWC)), np.flatnonzero(~flat(test_MHWC))
    train_N2, test_M2 = hashes(train_NHWC[keep_train]), hashes(test_MHWC[keep_test])
    coarse_NF, coarse_MF = _coarse(train_NHWC[keep_train]), _coarse(test_MHWC[keep_test])
    step = max(1, 4_000_000 // max(1, len(train_N2)))
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(test_M2), step):
        apart_NS2 = np.bitwise_count(train_N2[:, None] ^ test_M2[None, start : start + step])
        i, j = np.nonzero((apart_NS2 <= BITS_APART).any(axis=2))
        # The cells rule most pairs out at a sixteenth of the work.
        close = np.einsum("pf,pf->p", coarse_NF[i], coarse_MF[j + start]) >= CLOSE
        i, j = keep_train[i[close]], keep_test[j[close] + start]
        sure = _alike(train_NHWC, test_MHWC, i, j)
        found.append(np.stack([i[sure], j[sure]], axis=1))
    return np.concatenate(found)


def _averages(cells: int) -> np.ndarray:
    """Means of equal stretches of SIDE pixels, (cells, SIDE); a pixel may lie in two."""
    edges = np.linspace(0, SIDE, cells + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(SIDE)[None]
    overlap = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    return (overlap.clip(min=0) / (SIDE / cells)).astype(np.float32)


def _cosines(slowest: int) -> np.ndarray:
    """The first rows of the cosine transform of SIDE points, (slowest, SIDE)."""
    k, n = np.arange(slowest)[:, None], np.arange(SIDE)[None]
    return np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE)).astype(np.float32)


def _word(bits_N64: np.ndarray) -> np.ndarray:
    """64 truths as one number each."""
    return np.packbits(bits_N64, axis=1).view(np.uint64)[:, 0]


def _alike(a_NHWC: np.ndarray, b_MHWC: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """For each pair of indices, whether the thumbnails correlate, (P,) bool."""
    (mean_a, length_a), (mean_b, length_b) = _moments(a_NHWC), _moments(b_MHWC)
    inner = np.zeros(len(i), dtype=np.float32)
    for start in range(0, len(i), 2048):
        s = slice(start, start + 2048)
        a, b = _less(a_NHWC[i[s]], mean_a[i[s]]), _less(b_MHWC[j[s]], mean_b[j[s]])
        inner[s] = np.einsum("pf,pf->p", a, b)
    return inner >= ALIKE * length_a[i] * length_b[j]


def _moments(x_NHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean colour (N, 1, 1, 3), and length of what is left without it (N,); float32."""
    mean = x_NHWC.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    parts = [slice(s, s + 2048) for s in range(0, len(x_NHWC), 2048)]
    length = [np.linalg.norm(_less(x_NHWC[s], mean[s]), axis=1) for s in parts]
    return mean, np.concatenate([np.zeros(0, dtype=np.float32), *length])


def _less(x_NHWC: np.ndarray, mean_N113: np.ndarray) -> np.ndarray:
    """Brightness and colour without their mean, (N, F) float32."""
    return ((x_NHWC - mean_N113) @ COLOURS).reshape(len(x_NHWC), SIDE * SIDE * 3)


def _coarse(x_NHWC: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 cells without the mean colour, of length one, (N, 192)."""
    cells = x_NHWC.reshape(len(x_NHWC), 8, SIDE // 8, 8, SIDE // 8, 3)
    x_N83 = cells.mean(axis=(2, 4), dtype=np.float32).reshape(-1, 64, 3)
    x_NF = ((x_N83 - x_N83.mean(axis=1, keepdims=True)) @ COLOURS).reshape(-1, 192)
    return x_NF / np.maximum(np.linalg.norm(x_NF, axis=1, keepdims=True), 1e-6)


# --- texts -------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Small letters and digits alone, one space between words."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def near_texts(train: Sequence[str], test: Sequence[str]) -> np.ndarray:
    """Pairs (train index, test index) of texts that share most of their shingles, (P, 2) int64.

    Exact Jaccard similarity of sets of four letters, found by prefix filtering (Bayardo et al.
    2007): two sets this similar share one of their few rarest members.
    """
    if not train or not test:
        return np.zeros((0, 2), dtype=np.int64)
    owner, shingle = _shingles([*train, *test])
    size = np.bincount(owner, minlength=len(train) + len(test))
    common = np.bincount(shingle).astype(np.int32)[shingle]
    order = np.lexsort((shingle, common, owner))
    rank = np.arange(len(owner)) - (np.cumsum(size) - size)[owner]
    prefix = size - np.ceil(SIMILAR * size - 1e-9).astype(np.int64) + 1
    rare = order[rank < prefix[owner]]
    pairs = _joined(owner[rare], shingle[rare], size, len(train))
    shared = _shared(shingle, size, pairs)
    union = size[pairs].sum(axis=1) - shared
    pairs = pairs[shared >= SIMILAR * union - 1e-9]
    return pairs - np.array([0, len(train)])


def _shingles(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Every text's set of shingles: index of the text, number of the shingle; sorted by text."""
    longest = max(200, min(LONGEST, LETTERS // len(texts)))
    owners, codes = [], []
    for start in range(0, len(texts), 1_000):  # all letters at once would take ten times the memory
        owner, code = _codes([text[:longest] for text in texts[start : start + 1_000]])
        owners.append(owner + np.int32(start))
        codes.append(code)
    _, shingle = np.unique(np.concatenate(codes), return_inverse=True)
    return np.concatenate(owners), shingle.astype(np.int32)


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Index of the text (int32) and hash of the shingle (uint64), each once; sorted by both."""
    padded = [f" {text} ".ljust(SHINGLE) for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in padded])
    count = len(letters) - SHINGLE + 1
    code = np.zeros(count, dtype=np.uint64)
    for k in range(SHINGLE):
        code = code * np.uint64(0x9E3779B97F4A7C15) + letters[k : k + count]
    whole = owner[:count] == owner[SHINGLE - 1 :]
    owner, code = owner[:count][whole], code[whole]
    order = np.lexsort((code, owner))
    owner, code = owner[order], code[order]
    new = np.ones(len(owner), dtype=bool)
    new[1:] = (np.diff(owner) != 0) | (np.diff(code) != 0)
    return owner[new], code[new]


def _joined(owner: np.ndarray, shingle: np.ndarray, size: np.ndarray, train: int) -> np.ndarray:
    """Pairs of a training and a test text that share a rare shingle and are similar in size."""
    of_train = owner < train
    index = np.flatnonzero(of_train)[np.argsort(shingle[of_train], kind="stable")]
    keys, probes = shingle[index], np.flatnonzero(~of_train)
    low = np.searchsorted(keys, shingle[probes], side="left")
    hits = np.searchsorted(keys, shingle[probes], side="right") - low
    ends = np.cumsum(hits)
    found = [np.zeros((0, 2), dtype=np.int64)]
    step = np.searchsorted(ends, np.arange(2_000_000, ends[-1] if len(ends) else 0, 2_000_000))
    for part in np.split(np.arange(len(probes)), step):
        repeat, at = _ranges(low[part], hits[part])
        pairs = np.stack([owner[index[at]], owner[probes[part[repeat]]]], axis=1)
        small, large = np.sort(size[pairs], axis=1).T
        found.append(np.unique(pairs[small >= SIMILAR * large - 1e-9], axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _shared(shingle: np.ndarray, size: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """How many shingles each pair has in common, (P,)."""
    starts, kinds = np.cumsum(size) - size, int(shingle.max()) + 1
    counts = [np.zeros(0, dtype=np.int64)]
    for s in range(0, len(pairs), 20_000):
        keys = []
        for side in pairs[s : s + 20_000].T:
            pair, at = _ranges(starts[side], size[side])
            keys.append(pair * kinds + shingle[at])
        both = np.intersect1d(*keys, assume_unique=True)
        counts.append(np.bincount(both // kinds, minlength=len(pairs[s : s + 20_000])))
    return np.concatenate(counts)


def _ranges(starts: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Several ranges one after the other: which range each entry is of, and the entry."""
    of = np.repeat(np.arange(len(starts)), counts)
    return of, starts[of] + np.arange(len(of)) - (np.cumsum(counts) - counts)[of]
