"""Cells with boxes and their names in, corners and numbers of classes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.readers.answer_cells import named, to_boxes, to_named_boxes
from modalloy.readers.category import in_order
from modalloy.readers.number import all_missing
from modalloy.readers.reader import same
from modalloy.readers.targets.target import Signal, TargetReader


@dataclass(frozen=True)
class BoxTarget(TargetReader):
    """Named boxes in pixels of the picture as it is in its file.

    most: how many boxes a training row has, of all the most; 0 in runs from before that was kept.
    """

    kind: ClassVar[str] = "locate"
    labels: str | None
    names: tuple[str, ...]
    most: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The boxes and their names."""
        return (self.column, self.labels) if self.labels else (self.column,)

    @classmethod
    def blank(cls, name: str, options: config.Locate) -> Self:
        """Without a name."""
        return cls(name, options.target, options.labels, ())

    @classmethod
    def fit(cls, name: str, options: config.Locate, cells: Cells) -> Self:
        """Names in training rows; TableError for a box that is none, or no box at all."""
        blank = cls.blank(name, options)
        answers = [t for t in blank.truth(cells) if t is not None]
        if not answers:
            raise all_missing(options.target, cells)
        names = in_order({n for a in answers for n in a["names"]})
        if not names:
            raise TableError(
                f"column '{options.target}' holds no box in {len(answers)} training rows; task "
                f"{name} has nothing to find"
            )
        most = max(len(a["names"]) for a in answers)
        return cls(name, options.target, options.labels, names, most)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """All sites' names, and as many boxes as any row of theirs has."""
        names = in_order({n for reader in fitted for n in reader.names})
        most = max(r.most for r in fitted)
        return replace(same(fitted, "column", "labels"), names=names, most=most)

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

    def told(
        self, name: str, options: config.Locate, answer: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Lists of boxes, of their names, of their scores, and of whether each keeps what is
        promised.
        """
        del options
        sure = [np.asarray(s).tolist() for s in answer.get("sure", ())]
        return {
            f"{name}.boxes": [np.asarray(b).tolist() for b in answer["boxes"]],
            f"{name}.names": [list(n) for n in answer["names"]],
            f"{name}.scores": [np.asarray(s).tolist() for s in answer["scores"]],
        } | ({f"{name}.sure": sure} if "sure" in answer else {})

    @staticmethod
    def classes(answer: Any) -> set[str]:
        """The names of its boxes."""
        return set(answer["names"])

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        """How many boxes a row has."""
        return Signal(np.array([len(a["boxes"]) for a in answers])[:, None])


def enough_queries(task: str, queries: int, most: int) -> None:
    """JobError where a training row holds more boxes than there are queries to find them."""
    if most > queries:
        raise JobError(
            f"tasks.{task}: a training row holds {most} boxes, and {queries} queries find "
            f"{queries} at most; set queries: {most} or more, or take head: dense"
        )
