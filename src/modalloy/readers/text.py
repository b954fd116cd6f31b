"""Cells that hold a text or a list of words in, word pieces and their letter case out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from tokenizers import Encoding, Tokenizer

from modalloy.cells.cells import Cells, empty
from modalloy.cells.values import spelled
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader
from modalloy.readers.tokenizer import build_tokenizer

LONGEST_PIECE = 256  # characters looked at for each piece asked for, so that no cell can stall us
SPECIAL, LOWER, TITLE, UPPER, MIXED, DIGIT, PUNCTUATION = range(7)


class Pieces(NamedTuple):
    """One cell: ids and letter-case classes of its L pieces, first piece of each of its W words."""

    ids: Sequence[int]
    shape: Sequence[int]
    words: Sequence[int] = ()


@dataclass(frozen=True)
class TextReader(Reader):
    """Word pieces of a sentence, `max_tokens` at most; `tokenizer` is its own JSON.

    The pieces may be lower-cased; what the case said is kept beside them: 0 special, 1 lower,
    2 Title, 3 UPPER, 4 miXed, 5 with a digit, 6 neither letter nor digit.
    """

    kind: ClassVar[str] = "text"
    tokenizer: str
    max_tokens: int

    @classmethod
    def fit(cls, name: str, options: config.Text, cells: Cells) -> Self:
        """Take the encoder's tokenizer, or learn word pieces from the training rows.

        TableError where no cell holds text, JobError where the encoder's tokenizer is absent.
        """
        given = [c for c in cells[name] if not empty(c)]
        texts = [t for t in map(cls._plain, given) if t is not None]
        if not given:
            raise all_missing(name, cells)
        if not texts:
            raise TableError(f"column '{name}' holds no {cls.kind} but {given[0]!r:.60}")
        tokenizer, longest = build_tokenizer(options, texts, split=cls.kind == "tokens")
        return cls(name, tokenizer.to_str(), min(options.max_tokens, longest))

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """The pieces of a pretrained encoder, as long as any site's; TableError for others."""
        if len({r.tokenizer for r in fitted}) > 1:
            raise TableError(
                f"column '{fitted[0].name}': its word pieces are learned from each site's own "
                "texts; give it a pretrained encoder, such as encoder: minilm"
            )
        return replace(fitted[0], max_tokens=max(r.max_tokens for r in fitted))

    @property
    def vocabulary(self) -> int:
        """Number of different pieces."""
        return self._tokenizer.get_vocab_size()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    def read(self, cells: Cells) -> Read:
        """Values ids, shape (B, L) int64 and mask (B, L) bool; L is that of the longest row."""
        pieces = [self._read_one(c) for c in cells[self.name]]
        ids_BL = _stack([p.ids if isinstance(p, Pieces) else [] for p in pieces], 0)
        shape_BL = _stack([p.shape if isinstance(p, Pieces) else [] for p in pieces], 0)
        lengths = np.array([len(p.ids) if isinstance(p, Pieces) else 0 for p in pieces])
        mask_BL = np.arange(ids_BL.shape[1]) < lengths[:, None]
        status = ["ok" if isinstance(p, Pieces) else p for p in pieces]
        values = {"ids": ids_BL, "mask": mask_BL, "shape": shape_BL}
        return Read(values | self._words(pieces), lengths > 0, status)

    def _read_one(self, cell: Any) -> Pieces | str:
        """The pieces of a cell, or its status where it has none."""
        if empty(cell):
            return "missing"
        text = self._plain(cell)
        if text is None:
            return f"unreadable: {cell!r:.60} is no text"
        text = text[: self.max_tokens * LONGEST_PIECE]
        encoding = self._tokenizer.encode(text)
        spans: dict[int, tuple[int, int]] = {}
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
            if word is not None:
                spans[word] = (spans.get(word, (start, end))[0], end)
        return Pieces(
            encoding.ids, _shapes(encoding, {w: text[a:b] for w, (a, b) in spans.items()})
        )

    def words_of(self, cell: Any) -> tuple[list[str], list[int]]:
        """The words of a cell, and the word of each of its pieces, -1 where it is of none."""
        text = (self._plain(cell) or "")[: self.max_tokens * LONGEST_PIECE]
        encoding = self._tokenizer.encode(text)
        spans: dict[int, tuple[int, int]] = {}
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
            if word is not None:
                spans[word] = (spans.get(word, (start, end))[0], end)
        number = {word: i for i, word in enumerate(spans)}
        found = [-1 if w is None else number[w] for w in encoding.word_ids]
        return [text[a:b] for a, b in spans.values()], found

    @staticmethod
    def _plain(cell: Any) -> str | None:
        """The cell as text that the tokenizer takes."""
        if isinstance(cell, list | tuple | dict | np.ndarray):
            return None
        return _encodable(cell if isinstance(cell, str) else spelled(cell) or "")

    def _words(self, pieces: list[Pieces | str]) -> dict[str, np.ndarray]:
        return {}


@dataclass(frozen=True)
class TokensReader(TextReader):
    """Word pieces of a list of words, and where each word begins, -1 where it was cut off.

    Cells are lists of strings, JSON text of one, or a sentence to be split at white space.
    """

    kind: ClassVar[str] = "tokens"

    def _read_one(self, cell: Any) -> Pieces | str:
        if empty(cell):
            return "missing"
        words = to_words(cell)
        if isinstance(words, str):
            return f"unreadable: {words}"
        if not words:
            return "missing"
        words = [_encodable(w)[:LONGEST_PIECE] for w in words]
        encoding = self._tokenizer.encode(words[: self.max_tokens], is_pretokenized=True)
        first = [-1] * len(words)
        for at, word in reversed(list(enumerate(encoding.word_ids))):
            if word is not None:
                first[word] = at
        return Pieces(encoding.ids, _shapes(encoding, dict(enumerate(words))), first)

    def words_of(self, cell: Any) -> tuple[list[str], list[int]]:
        """The words of a cell as far as they are read, and the word of each of its pieces."""
        words = to_words(cell)
        assert isinstance(words, list), "only cells that were read are asked for"
        words = [_encodable(w)[:LONGEST_PIECE] for w in words][: self.max_tokens]
        encoding = self._tokenizer.encode(words, is_pretokenized=True)
        return words, [-1 if w is None else w for w in encoding.word_ids]

    @staticmethod
    def _plain(cell: Any) -> str | None:
        words = to_words(cell)
        return None if isinstance(words, str) or not words else _encodable(" ".join(words))

    def _words(self, pieces: list[Pieces | str]) -> dict[str, np.ndarray]:
        """Values words (B, W) int64."""
        return {"words": _stack([p.words if isinstance(p, Pieces) else [] for p in pieces], -1)}


def to_words(cell: Any) -> list[str] | str:
    """The words of a cell, or a sentence why it holds none."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return f"{cell!r:.60} looks like a list but is no JSON"
    if isinstance(cell, str):
        return cell.split()
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    if isinstance(cell, int | float | np.number | date):  # in a CSV file it is a word
        return [spelled(cell) or ""]
    if not isinstance(cell, list | tuple) or not all(isinstance(w, str) for w in cell):
        return f"{cell!r:.60} is no list of words"
    return list(cell)


def letter_case(word: str) -> int:
    """Class of a word's letters, 1 to 6 as TextReader lists them."""
    if any(c.isdigit() for c in word):
        return DIGIT
    letters = [c for c in word if c.isalpha()]
    if not letters:
        return PUNCTUATION
    if not any(c.isupper() for c in letters):
        return LOWER
    if letters[0].isupper() and not any(c.isupper() for c in letters[1:]):
        return TITLE
    return UPPER if not any(c.islower() for c in letters) else MIXED


def _shapes(encoding: Encoding, words: dict[int, str]) -> list[int]:
    classes = {i: letter_case(w) for i, w in words.items()}
    return [SPECIAL if w is None else classes[w] for w in encoding.word_ids]


def _encodable(text: str) -> str:
    """Half of a surrogate pair, which JSON can smuggle in, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _stack(rows: list[Sequence[int]], fill: int) -> np.ndarray:
    length = max((len(r) for r in rows), default=0)
    out = np.full((len(rows), max(length, 1)), fill, dtype=np.int64)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out
