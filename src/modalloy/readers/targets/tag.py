"""Cells with a BIO tag for each word of another cell in, the tags' numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.answer_cells import named, to_tags
from modalloy.readers.number import all_missing
from modalloy.readers.reader import same
from modalloy.readers.targets.target import Signal, TargetReader

PADDED = -100  # tag of a position that is no word


@dataclass(frozen=True)
class TagTarget(TargetReader):
    """A BIO tag for each word of column `on`: `names` are O, then B-x and I-x of each kind x."""

    kind: ClassVar[str] = "tag"
    on: str
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The tags and the words that they belong to."""
        return (self.column, self.on)

    @classmethod
    def blank(cls, name: str, options: config.Tag) -> Self:
        """Without a kind of span."""
        return cls(name, options.target, options.on, ())

    @classmethod
    def fit(cls, name: str, options: config.Tag, cells: Cells) -> Self:
        """Kinds of spans in training rows; TableError for tags that are not BIO, or O alone."""
        blank = cls.blank(name, options)
        answers = [t for t in blank.truth(cells) if t is not None]
        if not answers:
            raise all_missing(options.target, cells)
        kinds = sorted({tag[2:] for tags in answers for tag in tags if tag != "O"})
        if not kinds:
            raise TableError(
                f"column '{options.target}' tags every word of {len(answers)} training rows as O; "
                f"task {name} has nothing to find"
            )
        return cls(
            name, options.target, options.on, ("O", *(f"{b}-{k}" for k in kinds for b in "BI"))
        )

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """All sites' kinds of spans."""
        kinds = sorted({n[2:] for reader in fitted for n in reader.names if n != "O"})
        names = ("O", *(f"{b}-{k}" for k in kinds for b in "BI"))
        return replace(same(fitted, "column", "on"), names=names)

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B, W) int64, -100 beyond the last word and for kinds never seen."""
        answers = self.truth(cells)
        index = {n: i for i, n in enumerate(self.names)}
        longest = max((len(t) for t in answers if t is not None), default=0)
        y = np.full((len(answers), max(longest, 1)), PADDED, dtype=np.int64)
        for row, tags in zip(y, answers, strict=True):
            if tags is not None:
                row[: len(tags)] = [index.get(t, PADDED) for t in tags]
        return {"y": y, "known": np.array([t is not None for t in answers], dtype=bool)}

    def truth(self, cells: Cells) -> list[list[str] | None]:
        """Tags of each word; None where tags or words are missing."""
        pairs = zip(cells[self.column], cells[self.on], strict=True)
        with named(self.column):
            return [to_tags(tags, words) for tags, words in pairs]

    def told(
        self, name: str, options: config.Tag, answer: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Lists of tags, how sure they are, and those of spans that keep what is promised."""
        del options
        sure = {f"{name}.sure": list(answer["sure"])} if "sure" in answer else {}
        return {name: list(answer["tags"]), f"{name}.confidence": answer["confidence"]} | sure

    @property
    def possible(self) -> list[str]:
        """Kinds of spans."""
        return sorted(self.classes(self.names))

    @staticmethod
    def classes(answer: Any) -> set[str]:
        """The kinds of its spans."""
        return {tag[2:] for tag in answer if tag != "O"}

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        """How many spans a row has."""
        counts = [sum(tag.startswith("B-") for tag in tags) for tags in answers]
        return Signal(np.array(counts)[:, None])
