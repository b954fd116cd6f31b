"""Compares answers of `locate`: boxes of one name that overlap, and which of them are sure."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared
from modalloy.answer.answers import Answer
from modalloy.answer.decoding.boxes import overlaps
from modalloy.answer.decoding.locate import LEAST_SCORE

OVERLAP = 0.9  # of two boxes that are the same


class BoxAgreement(Agreement):
    """The margin of a box that only one way finds is how far its score is above the least that is
    answered: of all boxes, or of those that there was room for. Of what is sure, it is how far the
    score moved.
    """

    margin: ClassVar[str] = "score of a box beyond the least that is answered"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Boxes one to one."""
        del task, target
        most = options.max_boxes
        pairs = [row_margin(before, after, i, most) for i in range(len(before["boxes"]))]
        return Compared(
            np.array([same for same, _ in pairs], bool), np.array([m for _, m in pairs], float)
        )

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """Each box with its score."""
        own = zip(answer["names"][row], answer["boxes"][row], answer["scores"][row], strict=True)
        return "; ".join(
            f"{name} {' '.join(f'{x:.1f}' for x in box)} ({score:.3f})" for name, box, score in own
        )


def row_margin(before: Answer, after: Answer, row: int, most: int) -> tuple[bool, float]:
    """Whether a row's boxes are the same, and how certain those were that are not."""
    pairs = matched(before, after, row)
    old, new = before["scores"][row], after["scores"][row]
    alone = [*unmatched(old, {i for i, _ in pairs}, most)]
    alone += unmatched(new, {j for _, j in pairs}, most)
    if alone:
        return False, max(alone)
    if "sure" in before:
        moved = [
            abs(float(old[i]) - float(new[j]))
            for i, j in pairs
            if bool(before["sure"][row][i]) != bool(after["sure"][row][j])
        ]
        return not moved, max(moved, default=0.0)
    return True, 0.0


def unmatched(scores: Any, known: set[int], most: int) -> list[float]:
    """How far each score without a partner is above the least of its row that is answered."""
    least = float(min(scores, default=0.0)) if len(scores) >= most else LEAST_SCORE
    return [float(s) - least for i, s in enumerate(scores) if i not in known]


def matched(before: Answer, after: Answer, row: int) -> list[tuple[int, int]]:
    """Pairs of boxes of one name that overlap enough, the most overlapping ones first."""
    one, other = (np.asarray(a["boxes"][row], np.float64).reshape(-1, 4) for a in (before, after))
    share = overlaps(one, other)
    found: list[tuple[int, int]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for at in np.argsort(-share, axis=None, kind="stable"):
        i, j = (int(k) for k in np.unravel_index(at, share.shape))
        if share[i, j] < OVERLAP:
            break
        same = before["names"][row][i] == after["names"][row][j]
        if same and i not in taken[0] and j not in taken[1]:
            found.append((i, j))
            taken[0].add(i)
            taken[1].add(j)
    return found
