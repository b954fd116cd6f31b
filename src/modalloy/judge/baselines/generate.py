"""What a model that writes texts must beat: the commonest text, and those of rows most alike."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.linear_features import LinearFeatures
from modalloy.classical.training_rows import TrainingRows
from modalloy.judge.baselines.baseline import Baseline
from modalloy.judge.baselines.baseline_models import BaselineTask, objects
from modalloy.judge.baselines.lines import Case, Fitted

COPIED = "text of the most alike training row"
COPIED_FROZEN = "text of the most alike training row, by frozen features"
AT_ONCE = 512  # rows that are compared with all training rows at a time


class TextBaseline(Baseline):
    """Simple methods for `generate`."""

    plain = True

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """The commonest text of the training rows, of equals the first in the alphabet."""
        counts = Counter(goal.truth[i] for i in train)
        best = min(counts, key=lambda text: (-counts[text], text))
        return "the commonest text", texts([best] * len(test))

    def lines(self, case: Case) -> dict[str, Callable[[], Fitted]]:
        """Copies by plain features, and by frozen ones where there are any."""
        found: dict[str, Callable[[], Fitted]] = {}
        if case.blocks:
            found[COPIED] = partial(copied, case)
        seen = case.goal.known(case.sample.seen_train)
        if case.frozen is not None and len(case.sample.seen_test) and len(seen):
            found[COPIED_FROZEN] = partial(copied_frozen, case)
        return found


def copied(case: Case) -> Fitted:
    """By all plain features."""
    test = case.sample.test
    near = nearest(case.rows(case.train), case.rows(test))
    return Fitted(answer_of(case, case.train[near]), test, case.sample.note)


def copied_frozen(case: Case) -> Fitted:
    """By frozen features, and plain ones of all that has none."""
    train, test = case.goal.known(case.sample.seen_train), case.sample.seen_test
    near = nearest(case.embedded(train), case.embedded(test))
    return Fitted(answer_of(case, train[near]), test, case.sample.seen_note)


def nearest(train: TrainingRows, rows: TrainingRows) -> np.ndarray:
    """For each row the most alike training row, (B,): each input has the same say in how far apart
    two rows are, as in a linear model.
    """
    features = LinearFeatures.fit(train, words=False)
    x_NG = np.asarray(features.apply(train.blocks, len(train.every)))
    x_BG = np.asarray(features.apply(rows.blocks, len(rows.every)))
    square_N = np.square(x_NG).sum(1)
    parts = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(x_BG), AT_ONCE):
        far_BN = square_N - 2 * x_BG[start : start + AT_ONCE] @ x_NG.T
        parts.append(far_BN.argmin(1))
    return np.concatenate(parts)


def answer_of(case: Case, rows: np.ndarray) -> Answer:
    """The true texts of some rows, as an answer."""
    return texts([case.goal.truth[i] for i in rows])


def texts(given: list[Any]) -> Answer:
    """Texts in the form of a model's answer."""
    return {"text": objects(given), "confidence": np.ones(len(given), dtype=np.float32)}
