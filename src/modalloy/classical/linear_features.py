"""What a linear model has weights of: words of all texts, beside features of everything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.features import Features, matrix_of
from modalloy.classical.kept import State, joined, part_of
from modalloy.classical.spread import Spread
from modalloy.classical.texts import Terms, Vocabulary
from modalloy.classical.training_rows import TrainingRows

KEPT = 256  # directions of wide inputs


class Beside(NamedTuple):
    """Words of each text, out of `size`, and features of all else (B, G)."""

    words: Sequence[Terms]
    size: int
    dense_BG: np.ndarray


LinearInput = Beside | np.ndarray


@dataclass(frozen=True)
class LinearFeatures:
    """Features of inputs, and words of the inputs `texts` where they have any."""

    spread: Spread
    texts: tuple[str, ...]
    vocabulary: Vocabulary | None

    @classmethod
    def fit(cls, rows: TrainingRows, *, words: bool) -> Self:
        """By training rows. words: each word counts, else texts have leading directions."""
        texts = [b.name for b in rows.blocks.values() if words and isinstance(b.values, list)]
        others = {n: b for n, b in rows.blocks.items() if n not in texts}
        features = Features.fit(list(others.values()), kept=KEPT, embedded=KEPT, seed=rows.seed)
        table = [n for n, b in others.items() if b.plain]
        spread = Spread.fit(features, features.apply(others), table)
        vocabulary = Vocabulary.fit(side_by_side(texts, rows.blocks)) if texts else None
        return cls(spread, tuple(texts), vocabulary)

    def apply(self, blocks: Mapping[str, FeatureBlock], rows: int) -> LinearInput:
        """Features of so many rows."""
        x_BG = self.spread.apply(blocks, rows)
        if self.vocabulary is None:
            return x_BG
        words = self.vocabulary.weigh(side_by_side(self.texts, blocks))
        return Beside(words, len(self.vocabulary), x_BG)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        parts = {"spread": self.spread.state()}
        if self.vocabulary is not None:
            parts["vocabulary"] = self.vocabulary.state()
        meta, arrays = joined(parts)
        return {**meta, "texts": list(self.texts)}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The features whose `state` this is."""
        spread = Spread.from_state(*part_of(meta, arrays, "spread"))
        if "vocabulary" not in meta:
            return cls(spread, tuple(meta["texts"]), None)
        words = Vocabulary.from_state(*part_of(meta, arrays, "vocabulary"))
        return cls(spread, tuple(meta["texts"]), words)


def side_by_side(names: Sequence[str], blocks: Mapping[str, FeatureBlock]) -> list[str]:
    """The words of all these text inputs of each row."""
    return [" ".join(row) for row in zip(*(blocks[n].values for n in names), strict=True)]


def taken(x: LinearInput, at: np.ndarray) -> LinearInput:
    """Some of the rows."""
    if isinstance(x, Beside):
        return Beside([x.words[i] for i in at], x.size, x.dense_BG[at])
    return x[at]


def to_fit_by(x: LinearInput) -> Any:
    """One matrix: words in front of all else, sparse (scipy's) where there are words."""
    if isinstance(x, np.ndarray):
        return x
    from scipy.sparse import csr_array, csr_matrix, hstack  # answering does without

    return csr_array(hstack([matrix_of(x.words, x.size), csr_matrix(x.dense_BG)]))
