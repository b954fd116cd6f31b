"""Texts by words, pairs of words and groups of letters, each by how much it tells (TF-IDF)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.classical.kept import State

MOST = 20_000  # words and pairs of words, and as many groups of letters, at most
LETTERS = (3, 4, 5)  # in a group, within a word and the spaces around it


class Terms(NamedTuple):
    """What one text holds: places in a vocabulary, and their weights."""

    at: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Vocabulary:
    """The terms of training texts. idf_V: how much each tells, those of letters behind."""

    words: tuple[str, ...]
    letters: tuple[str, ...]
    idf_V: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Self | None:
        """The most frequent terms; None where no text holds a word."""
        if not any(re.search(r"\w", t) for t in texts):
            return None
        from sklearn.feature_extraction.text import TfidfVectorizer  # answering does without

        found: list[Any] = []
        for analyzer in (words_of, letters_of):
            kind: Any = TfidfVectorizer(analyzer=analyzer, max_features=MOST)
            found.append(kind.fit(texts))
        idf_V = np.concatenate([kind.idf_ for kind in found])
        words, letters = (tuple(kind.get_feature_names_out().tolist()) for kind in found)
        return cls(words, letters, idf_V)

    def weigh(self, texts: Sequence[str]) -> list[Terms]:
        """Terms of each text, of norm 1: half of it by words, half by letters."""
        first = len(self.words)
        out = []
        for text in texts:
            kinds = [
                self._of_kind(words_of(text), self._word_places, 0),
                self._of_kind(letters_of(text), self._letter_places, first),
            ]
            at, weight = (np.concatenate(both) for both in zip(*kinds, strict=True))
            out.append(Terms(at, weight / len(kinds) ** 0.5))
        return out

    def __len__(self) -> int:
        return len(self.idf_V)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {"words": list(self.words), "letters": list(self.letters)}, {"idf_V": self.idf_V}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The vocabulary whose `state` this is."""
        return cls(tuple(meta["words"]), tuple(meta["letters"]), arrays["idf_V"])

    def _of_kind(self, terms: Iterator[str], places: Mapping[str, int], first: int) -> Terms:
        counts = Counter(place for t in terms if (place := places.get(t)) is not None)
        at = np.array(sorted(counts), dtype=np.int64)
        count = np.array([counts[i] for i in at.tolist()], dtype=np.float64)
        weight = (1 + np.log(count)) * self.idf_V[at + first]
        norm = float(np.sqrt((weight**2).sum()))
        return Terms(at + first, weight / norm if norm else weight)

    @cached_property
    def _word_places(self) -> dict[str, int]:
        return {w: i for i, w in enumerate(self.words)}

    @cached_property
    def _letter_places(self) -> dict[str, int]:
        return {g: i for i, g in enumerate(self.letters)}


def words_of(text: str) -> Iterator[str]:
    """Words in small letters, then pairs of neighbours."""
    words = re.findall(r"\b\w+\b", text.lower())
    yield from words
    yield from (" ".join(pair) for pair in pairwise(words))


def letters_of(text: str) -> Iterator[str]:
    """Groups of letters of every word with a space on both sides; short words as a whole, once."""
    for word in text.lower().split():
        padded = f" {word} "
        for size in LETTERS:
            if size >= len(padded):
                yield padded
                break
            yield from (padded[i : i + size] for i in range(len(padded) - size + 1))


def products(terms: Sequence[Terms], w_VK: np.ndarray) -> np.ndarray:
    """What a matrix makes of each text, (B, K), one text at a time."""
    out_BK = np.empty((len(terms), w_VK.shape[1]))
    for row, (at, weight) in enumerate(terms):
        out_BK[row] = weight @ w_VK[at]
    return out_BK
