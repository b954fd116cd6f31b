"""What the page shows of one kind of task: figures, and its worst rows in words and pictures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.report.figure import Figure
from modalloy.report.html import Markup


class Drawing(ABC):
    """The drawings of one kind of task; it holds nothing, the options come with each call."""

    @abstractmethod
    def figures(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Figures for the task's section of the page; at least one row's truth is known.

        cells: the same rows' cells of the column that the task works on, None for other tasks.
        """

    @abstractmethod
    def losses(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """How wrong each row is, (B,); 0 where it is right or its truth unknown."""

    @abstractmethod
    def say(
        self,
        options: Any,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """One row's truth and answer in words."""

    def draw(
        self,
        options: Any,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        at: int,
        cells: Cells,
        k: int,
    ) -> Markup:
        """Row `at` of the answer drawn on cell `k`, which it is about; nothing for most tasks."""
        del options, truth, answer, at, cells, k
        return Markup("")
