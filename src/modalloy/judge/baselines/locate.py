"""What a model that finds boxes must beat: none, and the boxes that come again."""

from collections.abc import Callable
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.boxes import overlaps
from modalloy.judge.baselines.baseline import Baseline
from modalloy.judge.baselines.baseline_models import BaselineTask, objects
from modalloy.judge.baselines.lines import Case, Fitted

SAME = 20  # boxes of one name that are answered to every picture, at most
MOST_BOXES = 1000  # of one name that are compared with each other
BOXES = "the boxes that come again"


class BoxBaseline(Baseline):
    """Simple methods for `locate`."""

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """No box at all."""
        boxes = objects([np.zeros((0, 4)) for _ in test])
        scores, names = objects([np.zeros(0) for _ in test]), objects([[] for _ in test])
        return "no box at all", {"boxes": boxes, "scores": scores, "names": names}

    def lines(self, case: Case) -> dict[str, Callable[[], Fitted]]:
        """Boxes that many training pictures have."""
        goal, train, test, note = case.goal, case.train, case.test, case.sample.note
        return {BOXES: lambda: Fitted(commonest_boxes(goal, train, test), test, note)}


def commonest_boxes(goal: BaselineTask, train: np.ndarray, test: np.ndarray) -> Answer:
    """The same boxes on every picture: those that most training pictures have one like, at most
    SAME of a name; scored by the share of pictures that have one.
    """
    found: list[tuple[float, str, np.ndarray]] = []
    for name in goal.names or ():
        own = [boxes_named(goal.truth[i], name) for i in train]
        every = np.concatenate([np.zeros((0, 4)), *own])
        picture = np.repeat(np.arange(len(own)), [len(b) for b in own])
        some = np.unique(np.linspace(0, max(0, len(every) - 1), MOST_BOXES).round().astype(int))
        every, picture = every[some[: len(every)]], picture[some[: len(every)]]
        alike = overlaps(every, every) >= 0.5
        for _ in range(min(SAME, len(every))):
            votes = np.array([len(np.unique(picture[a])) for a in alike])
            best = int(votes.argmax())
            same = alike[best].copy()
            if not same.any():
                break
            found.append((votes[best] / max(1, len(train)), name, every[same].mean(0)))
            alike[:, same] = False
    boxes = np.array([b for _, _, b in found]).reshape(-1, 4)
    scores, names = np.array([s for s, _, _ in found]), [n for _, n, _ in found]
    return {
        "boxes": objects([boxes for _ in test]),
        "scores": objects([scores for _ in test]),
        "names": objects([names for _ in test]),
    }


def boxes_named(truth: Any, name: str) -> np.ndarray:
    """The boxes of one picture that have this name, (n, 4)."""
    boxes = np.asarray(truth["boxes"], dtype=np.float64).reshape(-1, 4)
    return boxes[[str(n) == name for n in truth["names"]]]
