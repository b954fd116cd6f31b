"""Cells that hold the right answer in, arrays to learn from and natural values to judge by out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.naming import Naming, Reading, names_of_cells, reading_of
from modalloy.cells.numbers import to_number, to_numbers
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.answer_cells import named, to_boxes, to_labels, to_named_boxes, to_tags
from modalloy.readers.category import in_order
from modalloy.readers.number import all_missing, from_log, to_log
from modalloy.readers.outliers import outlying

PADDED = -100  # tag of a position that is no word
LARGEST = 1e6  # standardised numbers are cut here, so that their squares stay finite


@dataclass(frozen=True)
class TargetReader(ABC):
    """Fitted on training rows; its fields are its JSON state. `name` is the task's.

    column: the table column of the answers.
    """

    kind: ClassVar[str]
    name: str
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        return (self.column,)

    @abstractmethod
    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Arrays with rows first; `known` (B,) bool is False where there is nothing to learn."""

    @abstractmethod
    def truth(self, cells: Cells) -> list[Any]:
        """The right answers as a person would write them, None where a cell is empty."""

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The reader whose `state` this is."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in state.items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class ClassTarget(TargetReader):
    """One of `names`, or with `multi` any number of them; counts: training rows of each name.

    rows: training rows whose answer is known. reading, decimal: how training wrote the names
    (`Naming`).
    """

    kind: ClassVar[str] = "classify"
    names: tuple[str, ...]
    counts: tuple[int, ...]
    rows: int
    multi: bool
    reading: Reading = "written"
    decimal: str = "."

    @classmethod
    def fit(cls, name: str, options: config.Classify, cells: Cells) -> Self:
        """Names in training rows; TableError for fewer than two (one with `multi`)."""
        multi = options.labels == "multi"
        with named(options.target):
            answers = [to_labels(c, multi) for c in cells[options.target]]
        known = [a for a in answers if a is not None]
        counts = names_of_cells((n for labels in known for n in labels), cells.decimal)
        known = [a for a in known if multi or a[0] in counts]
        if not known:
            raise all_missing(options.target, cells)
        names = in_order(counts)
        if not names or (len(names) == 1 and (not multi or counts[names[0]] == len(known))):
            found = f"only '{names[0]}'" if names else "no label"
            raise TableError(
                f"column '{options.target}' holds {found} in {len(known)} training rows; task "
                f"{name} needs rows with and without it, or two classes"
            )
        written = "written" if multi else reading_of(cells[options.target])
        numbers = tuple(counts[n] for n in names)
        return cls(name, options.target, names, numbers, len(known), multi, written, cells.decimal)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {n: i for i, n in enumerate(self.names)}

    @cached_property
    def _naming(self) -> Naming:
        return Naming(self.names, self.reading, self.decimal)

    def _labels(self, cell: Any, decimal: str) -> list[str] | None:
        """The names of a cell, as training has them where it knows them."""
        if not self.multi:
            name = self._naming.find(cell, decimal)
            return None if name is None else [name]
        labels = to_labels(cell, multi=True)
        return None if labels is None else [self._naming.find(n, decimal) or n for n in labels]

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B,) int64, or (B, C) float32 with `multi`; unseen names are not known."""
        y = np.zeros((len(cells), len(self.names)), dtype=np.float32)
        known = np.zeros(len(cells), dtype=bool)
        for row, cell in enumerate(cells[self.column]):
            labels = self._labels(cell, cells.decimal)
            known[row] = labels is not None and all(n in self._index for n in labels)
            if known[row]:
                y[row, [self._index[n] for n in labels or ()]] = 1.0
        return {"y": y if self.multi else y.argmax(axis=1), "known": known}

    def truth(self, cells: Cells) -> list[Any]:
        """A name, or with `multi` a list of names; names that training never saw are given too."""
        answers = [self._labels(c, cells.decimal) for c in cells[self.column]]
        return [a if a is None or self.multi else a[0] for a in answers]


@dataclass(frozen=True)
class NumberTarget(TargetReader):
    """A number minus its training mean, over its deviation.

    log: on the scale sign(y) * log(1 + |y|), in which `truth` and `to_unit` answer as well.
    limit: standardised numbers are cut here for learning.
    """

    kind: ClassVar[str] = "regress"
    center: float
    scale: float
    log: bool
    limit: float = LARGEST

    @classmethod
    def fit(cls, name: str, options: config.Regress, cells: Cells) -> Self:
        """Mean and deviation; TableError for text, for no number and for always the same one.

        Numbers far beyond all others have no part in them, and are learned as the farthest of
        those: one wrong cell would leave the others without a difference.
        """
        blank = cls(name, options.target, 0.0, 1.0, options.scale == "log")
        y = blank._scaled(cells)
        y = y[np.isfinite(y)]
        if not len(y):
            raise all_missing(options.target, cells)
        beyond = outlying(y)
        usual = y[~beyond]
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = float(usual.mean()), float(usual.std())
        if not (np.isfinite(center) and np.isfinite(scale)):
            raise TableError(
                f"column '{options.target}' holds numbers up to {np.abs(y).max():.1e}, too large "
                "to learn; set scale: log"
            )
        if usual.min() == usual.max():
            but = f" but {beyond.sum()} (such as {y[beyond][0]:g})" if beyond.any() else ""
            raise TableError(
                f"column '{options.target}' is {usual[0]:g} in all training rows{but}; task {name} "
                "has nothing to learn"
            )
        scale = scale or float(np.ptp(usual))
        farthest = float(np.abs((usual - center) / scale).max())
        limit = farthest if beyond.any() else LARGEST
        return cls(name, options.target, center, scale, blank.log, limit)

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B,) float32, standardised."""
        y = self._scaled(cells)
        known = np.isfinite(y)
        with np.errstate(over="ignore"):
            z = (np.where(known, y, self.center) - self.center) / self.scale
        return {"y": np.clip(z, -self.limit, self.limit).astype(np.float32), "known": known}

    def truth(self, cells: Cells) -> list[float | None]:
        """Numbers in the column's unit, or their logarithms with `log`."""
        return [float(y) if np.isfinite(y) else None for y in self._scaled(cells)]

    def to_unit(self, y: np.ndarray) -> np.ndarray:
        """Undo the standardisation of answers of any shape; they then compare with `truth`."""
        return np.asarray(y, dtype=np.float64) * self.scale + self.center

    def to_natural(self, value: np.ndarray) -> np.ndarray:
        """Undo the logarithm too: from what `to_unit` gives to the column's own unit."""
        return from_log(value) if self.log else np.asarray(value)

    def _scaled(self, cells: Cells) -> np.ndarray:
        raw = cells[self.column]
        texts = [c for c in raw if to_number(c, cells.decimal) is None]
        if texts:
            raise TableError(
                f"column '{self.column}' holds {texts[0]!r:.60}, which is no number; task "
                f"{self.name} regresses it: empty such cells or classify instead"
            )
        y = to_numbers(raw, cells.decimal)
        return to_log(y) if self.log else y


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
    def fit(cls, name: str, options: config.Tag, cells: Cells) -> Self:
        """Kinds of spans in training rows; TableError for tags that are not BIO, or O alone."""
        blank = cls(name, options.target, options.on, ())
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


@dataclass(frozen=True)
class BoxTarget(TargetReader):
    """Named boxes in pixels of the picture as it is in its file."""

    kind: ClassVar[str] = "locate"
    labels: str | None
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The boxes and their names."""
        return (self.column, self.labels) if self.labels else (self.column,)

    @classmethod
    def fit(cls, name: str, options: config.Locate, cells: Cells) -> Self:
        """Names in training rows; TableError for a box that is none, or no box at all."""
        blank = cls(name, options.target, options.labels, ())
        answers = [t for t in blank.truth(cells) if t is not None]
        if not answers:
            raise all_missing(options.target, cells)
        names = in_order({n for a in answers for n in a["names"]})
        if not names:
            raise TableError(
                f"column '{options.target}' holds no box in {len(answers)} training rows; task "
                f"{name} has nothing to find"
            )
        return cls(name, options.target, options.labels, names)

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values boxes (B, n, 4) float32, classes (B, n) int64 padded with -1.

        A row with a name that training never saw is not known: its boxes are no background.
        """
        answers = self.truth(cells)
        index = {n: i for i, n in enumerate(self.names)}
        most = max((len(a["names"]) for a in answers if a is not None), default=0)
        boxes = np.zeros((len(answers), max(most, 1), 4), dtype=np.float32)
        classes = np.full(boxes.shape[:2], -1, dtype=np.int64)
        known = np.zeros(len(answers), dtype=bool)
        for row, answer in enumerate(answers):
            known[row] = answer is not None and all(n in index for n in answer["names"])
            if answer is not None and known[row] and answer["names"]:
                count = len(answer["names"])
                boxes[row, :count] = answer["boxes"]
                classes[row, :count] = [index[n] for n in answer["names"]]
        return {"boxes": boxes, "classes": classes, "known": known}

    def truth(self, cells: Cells) -> list[dict[str, Any] | None]:
        """`boxes` (n, 4) float64 x1 y1 x2 y2 and `names`; no box at all is known too."""
        with named(self.column):
            if self.labels is None:
                return [to_boxes(c) for c in cells[self.column]]
            pairs = zip(cells[self.column], cells[self.labels], strict=True)
            return [to_named_boxes(boxes, names) for boxes, names in pairs]


def names_of(target: Any) -> list[str] | None:
    """Names of classes, tags or kinds of boxes; None for numbers."""
    names = getattr(target, "names", None)
    return list(names) if names is not None else None
