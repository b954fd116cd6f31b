"""Features of inputs as training rows fitted them, applied to any cells afterwards.

Texts and wide inputs become a few leading directions, rare categories one code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.kept import State, each_of, joined, listed, part_of
from modalloy.classical.rowwise import product
from modalloy.classical.texts import Terms, Vocabulary, products

WIDE = 320  # blocks with more features are reduced ...
KEPT = 64  # ... to this many directions, of few rows to a quarter as many as there are
FEW = 8  # directions at least
CODES = 200  # codes of a category; rarer names share one: scikit-learn stops at 255
Kind = Literal["numbers", "codes", "directions"]


@dataclass(frozen=True)
class AsTheyAre:
    """Numbers (B, `width`) as they are read; NaN where a block has fewer."""

    form: ClassVar[str] = "as they are"
    kind: ClassVar[Kind] = "numbers"
    width: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Features (B, `width`)."""
        return of_width(values, self.width)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {"width": self.width}, {}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        return cls(**meta)


@dataclass(frozen=True)
class Codes:
    """Categories from 1 on in the order of `common_C`; all rarer ones are 0, absent ones NaN."""

    form: ClassVar[str] = "codes"
    kind: ClassVar[Kind] = "codes"
    common_C: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """The CODES - 1 commonest codes of training rows (B, 1)."""
        seen, counts = np.unique(values[np.isfinite(values)], return_counts=True)
        return cls(np.sort(seen[np.argsort(-counts, kind="stable")[: CODES - 1]]))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Codes (B, 1)."""
        last = max(0, len(self.common_C) - 1)
        at_B1 = np.searchsorted(self.common_C, values).clip(0, last)
        same_B1 = self.common_C[at_B1] == values if len(self.common_C) else values != values
        return np.where(np.isfinite(values), np.where(same_B1, at_B1 + 1, 0), np.nan)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {}, {"common_C": self.common_C}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        return cls(**arrays)


@dataclass(frozen=True)
class Directions:
    """Leading directions of many standardised numbers (PCA); what is absent counts as the mean."""

    form: ClassVar[str] = "directions"
    kind: ClassVar[Kind] = "directions"
    mean_F: np.ndarray
    scale_F: np.ndarray
    shift_F: np.ndarray
    axes_FK: np.ndarray

    @classmethod
    def fit(cls, x_BF: np.ndarray, kept: int, seed: int) -> Self:
        """`kept` directions, not more than there are rows or features."""
        from sklearn.decomposition import PCA  # answering does without

        mean_F, scale_F = mean_and_scale(x_BF)
        pca: Any = PCA(min(kept, *x_BF.shape), svd_solver="randomized", random_state=seed)
        with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance that may be 0
            pca.fit(standard(x_BF, mean_F, scale_F))
        return cls(mean_F, scale_F, pca.mean_, np.ascontiguousarray(pca.components_.T))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Features (B, K)."""
        x_BF = standard(of_width(values, len(self.mean_F)), self.mean_F, self.scale_F)
        return product(x_BF - self.shift_F, self.axes_FK)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {}, dict(vars(self))

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        return cls(**arrays)


@dataclass(frozen=True)
class TextDirections:
    """Leading directions of TF-IDF (latent semantic analysis); none where no text held a word."""

    form: ClassVar[str] = "text directions"
    kind: ClassVar[Kind] = "directions"
    vocabulary: Vocabulary | None
    axes_VK: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[str], kept: int, seed: int) -> Self:
        """`kept` directions, or every term where there are hardly any."""
        vocabulary = Vocabulary.fit(texts)
        if vocabulary is None:
            return cls(None, np.zeros((0, 0), np.float32))
        kept = min(kept, len(texts) - 1, len(vocabulary) - 1)
        if kept < 1:
            return cls(vocabulary, np.eye(len(vocabulary), dtype=np.float32))
        from sklearn.decomposition import TruncatedSVD  # answering does without

        svd: Any = TruncatedSVD(kept, random_state=seed)
        with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance that may be 0
            svd.fit(matrix_of(vocabulary.weigh(texts), len(vocabulary)))
        return cls(vocabulary, np.ascontiguousarray(svd.components_.T, dtype=np.float32))

    def apply(self, values: Sequence[str]) -> np.ndarray:
        """Features (B, K)."""
        if self.vocabulary is None:
            return np.zeros((len(values), 0))
        return products(self.vocabulary.weigh(values), self.axes_VK)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        words = {} if self.vocabulary is None else {"vocabulary": self.vocabulary.state()}
        meta, arrays = joined(words)
        return meta, {"axes_VK": self.axes_VK, **arrays}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        words = Vocabulary.from_state(*part_of(meta, arrays, "vocabulary")) if meta else None
        return cls(words, arrays["axes_VK"])


Fitted = AsTheyAre | Codes | Directions | TextDirections
FITTED: tuple[type[Fitted], ...] = (AsTheyAre, Codes, Directions, TextDirections)


@dataclass(frozen=True)
class Features:
    """What each block of features becomes, by the block's name."""

    of: Mapping[str, Fitted]

    @classmethod
    def fit(cls, blocks: Sequence[FeatureBlock], *, kept: int, embedded: int, seed: int) -> Self:
        """By training rows alone; kept, embedded: directions of plain blocks and of embeddings."""
        found = {b.name: fit_block(b, embedded if b.embedded else kept, seed) for b in blocks}
        return cls(found)

    def apply(self, blocks: Mapping[str, FeatureBlock]) -> dict[str, np.ndarray]:
        """Features (B, F) of each block."""
        found: dict[str, Any] = dict(self.of)
        return {name: fitted.apply(blocks[name].values) for name, fitted in found.items()}

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        meta, arrays = listed([fitted.state() for fitted in self.of.values()])
        forms = [[name, fitted.form] for name, fitted in self.of.items()]
        return {"forms": forms, "fitted": meta}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        kinds = {kind.form: kind for kind in FITTED}
        pairs = zip(meta["forms"], each_of(meta["fitted"], arrays), strict=True)
        return cls({name: kinds[form].from_state(*state) for (name, form), state in pairs})


def fit_block(block: FeatureBlock, kept: int, seed: int) -> Fitted:
    """What a block becomes: texts and wide ones `kept` directions."""
    if isinstance(block.values, list):
        return TextDirections.fit(block.values, kept, seed)
    if block.codes:
        return Codes.fit(block.values)
    # More features than rows are mostly chance to a tree, and its time goes into looking at them.
    rows, width = block.values.shape
    if block.embedded or width > max(kept, min(WIDE, rows)):
        return Directions.fit(block.values, kept, seed)
    return AsTheyAre(width)


def kept_of(rows: int) -> int:
    """Directions of a block that boosting sees: a quarter as many as rows, within bounds."""
    return int(np.clip(rows // 4, FEW, KEPT))


def mean_and_scale(x_BF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each feature, where absent ones count as the mean; never 0."""
    known_BF = np.isfinite(x_BF)
    mean_F = np.where(known_BF, x_BF, 0.0).sum(0) / np.maximum(known_BF.sum(0), 1)
    scale_F = np.where(known_BF, x_BF, mean_F).std(0)
    return mean_F, np.where(scale_F > 0, scale_F, 1.0)


def standard(x_BF: np.ndarray, mean_F: np.ndarray, scale_F: np.ndarray) -> np.ndarray:
    """Numbers in deviations from the mean; absent ones as the mean."""
    return (np.where(np.isfinite(x_BF), x_BF, mean_F) - mean_F) / scale_F


def of_width(x_BF: np.ndarray, width: int) -> np.ndarray:
    """As many features as in training; media of which every cell is absent have only one."""
    if x_BF.shape[1] == width:
        return x_BF
    assert min(x_BF.shape[1], width) == 1, "media have as many features in every batch"
    return np.full((len(x_BF), width), np.nan)


def matrix_of(terms: Sequence[Terms], width: int) -> Any:
    """Texts as a sparse matrix (B, V) of scipy, to fit by."""
    from scipy.sparse import csr_matrix  # answering does without

    ends = np.cumsum([0, *(len(t.at) for t in terms)])
    at = np.concatenate([np.zeros(0, np.int64), *(t.at for t in terms)])
    weight = np.concatenate([np.zeros(0), *(t.weight for t in terms)])
    return csr_matrix((weight, at, ends), shape=(len(terms), width))
