"""Cells with a text in, the pieces that it is written with out; and the way back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from tokenizers import Tokenizer

from modalloy.cells.cells import Cells
from modalloy.cells.values import spelled
from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.readers.answer_cells import named
from modalloy.readers.number import all_missing
from modalloy.readers.targets.target import Signal, TargetReader
from modalloy.readers.written_pieces import pieces_of, places_of, unwritable

PADDED = -100  # piece of a position that is beyond a text's end
AT_ONCE = 4096  # texts that are cut into pieces at a time, where only their lengths are kept
FEW = 50  # different texts up to which a column may tell them one by one


@dataclass(frozen=True)
class TextTarget(TargetReader):
    """A text as pieces, `longest` at most; `tokenizer` is its own JSON.

    start, end: numbers of the pieces around a text. network: configuration of a pretrained decoder
    as JSON, "" for one from scratch. allowed: the only texts that may be answered, none for all.
    listed: the column that they are taken from, while the reader is blank.
    """

    kind: ClassVar[str] = "generate"
    longest: int
    tokenizer: str = ""
    start: int = 0
    end: int = 1
    network: str = ""
    allowed: tuple[str, ...] = ()
    listed: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The texts; of a blank reader also the column that lists what may be answered."""
        apart = self.listed is not None and self.listed != self.column
        return (self.column, self.listed) if apart and self.listed else (self.column,)

    @classmethod
    def blank(cls, name: str, options: config.Generate) -> Self:
        """Without pieces."""
        return cls(name, options.target, options.max_tokens, listed=options.looks_up.get("only"))

    @classmethod
    def fit(cls, name: str, options: config.Generate, cells: Cells) -> Self:
        """Pieces of the training rows' texts; TableError where there is none.

        JobError for a decoder that is not there, or that cannot write what is allowed or as much.
        """
        blank = cls.blank(name, options)
        texts = [t for t in blank.truth(cells) if t is not None]
        if not texts:
            raise all_missing(options.target, cells)
        allowed: tuple[str, ...] = ()
        if isinstance(options.only, str):
            allowed = names_in(cells[options.only])
            if not allowed:
                raise all_missing(options.only, cells)
        elif options.only is not None:
            allowed = tuple(dict.fromkeys(text.strip() for text in options.only))
        pieces = pieces_of(options, [*texts, *allowed])
        if pieces.network:
            enough_places(name, options, json.loads(pieces.network))
        made = cls(name, options.target, options.max_tokens, *pieces, allowed=allowed)
        never = {*made.marks, made.end}
        why = unwritable(made.pieces, allowed, options.max_tokens, never)
        if why:
            raise JobError(
                f"tasks.{name}: decoder {options.decoder} cannot write all of only: {why}."
            )
        return made

    @cached_property
    def pieces(self) -> Tokenizer:
        """The tokenizer; the name of a mark inside a text, such as `[END]`, is text to it."""
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.encode_special_tokens = True
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @property
    def vocabulary(self) -> int:
        """One more than the largest number of a piece."""
        return max(self.pieces.get_vocab().values()) + 1

    @property
    def marks(self) -> tuple[int, ...]:
        """Pieces that stand in no text: those that say where it starts, and the like."""
        added = self.pieces.get_added_tokens_decoder()
        return tuple(i for i, token in sorted(added.items()) if token.special and i != self.end)

    def never(self, logits: int) -> tuple[int, ...]:
        """The marks, and which of so many logits are of no piece: a network may have been padded
        with some.
        """
        held = {*self.pieces.get_vocab().values(), self.end}
        return (*self.marks, *(i for i in range(logits) if i not in held))

    def ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """The pieces of texts, uncut and without an end."""
        return [e.ids for e in self.pieces.encode_batch(list(texts), add_special_tokens=False)]

    def lengths(self, texts: Sequence[str]) -> np.ndarray:
        """How many pieces each text takes, uncut and without an end, (N,) int64."""
        some = (texts[i : i + AT_ONCE] for i in range(0, len(texts), AT_ONCE))
        return np.array([len(ids) for part in some for ids in self.ids_of(part)], dtype=np.int64)

    def text_of(self, ids: Iterable[int]) -> str:
        """The text of some pieces; one of `allowed` exactly as it stands there."""
        some = [int(i) for i in ids]
        known = self._allowed.get(tuple(some))
        return self.pieces.decode(some).strip() if known is None else known

    @cached_property
    def _allowed(self) -> dict[tuple[int, ...], str]:
        return dict(zip(map(tuple, self.ids_of(self.allowed)), self.allowed, strict=True))

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B, L) int64: pieces and an end, -100 behind it; a text cut short has no end."""
        texts = self.truth(cells)
        rows = self.ids_of([t or "" for t in texts])
        known = np.array([t is not None for t in texts], dtype=bool)
        rows = [self.cut(ids) if k else [] for ids, k in zip(rows, known, strict=True)]
        y_BL = np.full((len(rows), max(map(len, rows), default=0) or 1), PADDED, dtype=np.int64)
        for row, ids in zip(y_BL, rows, strict=True):
            row[: len(ids)] = ids
        return {"y": y_BL, "known": known}

    def cut(self, ids: list[int]) -> list[int]:
        """Pieces and the end, or the first `longest` pieces alone."""
        return ids[: self.longest] if len(ids) > self.longest else [*ids, self.end]

    def truth(self, cells: Cells) -> list[str | None]:
        """Texts without their margins; None where there is nothing."""
        with named(self.column):
            return [text_in(cell) for cell in cells[self.column]]

    def told(
        self, name: str, options: config.Generate, answer: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """The texts, and the mean probability of their pieces."""
        del options
        return {name: list(answer["text"]), f"{name}.confidence": answer["confidence"]}

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        """Each text on its own where they are few, else how long they are."""
        names = sorted(set(answers))
        if len(names) <= min(FEW, len(answers) / 2):
            y_NC = np.array([[a == n for n in names] for a in answers], dtype=np.float64)
            return Signal(y_NC, names)
        return Signal(np.array([[float(len(a))] for a in answers]))


def enough_places(name: str, options: config.Generate, network: Mapping[str, Any]) -> None:
    """JobError where a pretrained decoder has fewer positions than its prefix and a text take."""
    places = places_of(network)
    taken = options.prefix + 1 + options.max_tokens  # and the start of the text
    if places is not None and places < taken:
        raise JobError(
            f"tasks.{name}: decoder {options.decoder} has {places} positions, and prefix "
            f"{options.prefix}, a start and max_tokens {options.max_tokens} take {taken}; lower "
            "max_tokens or prefix"
        )


def text_in(cell: Any) -> str | None:
    """A cell as text; TableError for a list."""
    if isinstance(cell, list | tuple | dict | np.ndarray):
        raise TableError(f"{cell!r:.60} is no text, but a list")
    text = spelled(cell)
    return text.encode("utf-8", "replace").decode("utf-8").strip() or None if text else None


def names_in(cells: Sequence[Any]) -> tuple[str, ...]:
    """Different texts of a column, in the order of their first row."""
    return tuple(dict.fromkeys(t for t in map(text_in, cells) if t is not None))
