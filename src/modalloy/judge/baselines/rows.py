"""The simple methods of a task with one answer a row: boosting and a linear model."""

from collections.abc import Callable

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.fit import BOOSTED
from modalloy.judge.baselines.baseline import Baseline
from modalloy.judge.baselines.lines import Case, Fitted, boosted_plain, row_lines


class RowBaseline(Baseline):
    """Answers are `value` (B,) where the kit says `numbers`, else `probability` (B, C)."""

    naive = BOOSTED

    def lines(self, case: Case) -> dict[str, Callable[[], Fitted]]:
        """Each on plain features, on words and on frozen features."""
        return row_lines(case)

    def again(self, case: Case, train: np.ndarray, test: np.ndarray) -> Answer:
        """Boosting."""
        return boosted_plain(case, train, test).answer
