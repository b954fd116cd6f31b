"""How answers of one kind of task are judged: what is counted, and which figure stands first.

Each kind is a class beside its tally: classes.py, quantities.py, spans.py, detection.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.judge.metrics.tally import Tally


class Measure(ABC):
    """The figures of one kind of task; it holds nothing, the options come with each call.

    Figures that judge/wording.py does not name are printed plainly, and more of them is better.
    """

    @abstractmethod
    def tally(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> Tally:
        """What the figures are counted from.

        truth: what the target reader's `truth` returns, as long as the answer. names: of the
        classes, as the target reader has them.
        """

    @abstractmethod
    def primary(self, options: Any) -> tuple[str, bool]:
        """The figure by which a training is judged, and whether greater is better."""

    @abstractmethod
    def skill(self, options: Any, classes: int) -> list[str]:
        """Figures whose mean early stopping looks at: 1 is perfect, more is better.

        classes: how many there are.
        """

    def by_class(self, counted: Any) -> str:
        """Figures of each class as text in scikit-learn's layout; "" for a task without classes."""
        del counted
        return ""

    def about(self, options: Any, truth: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
        """Facts for the page: `rarer` (of two classes the one that average precision is about),
        `classes` (rows of each); None where the task has none.
        """
        del options, truth, names
        return {"rarer": None, "classes": None}
