"""Compares answers of `tag`: every tag, and which spans are sure."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared
from modalloy.answer.answers import Answer


class TagAgreement(Agreement):
    """The margin of a tag is how much likelier it was than all others together; of what is sure,
    how far the words' certainty moved.
    """

    margin: ClassVar[str] = "probability of the tag beyond that of all others"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Tag by tag, word by word."""
        del task, options, target
        pairs = [row_margin(before, after, i) for i in range(len(before["tags"]))]
        return Compared(
            np.array([same for same, _ in pairs], bool), np.array([m for _, m in pairs], float)
        )

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """The tags, each with its probability."""
        pairs = zip(answer["tags"][row], answer["word_confidence"][row], strict=True)
        return " ".join(f"{tag} {100 * p:.1f} %" for tag, p in pairs)


def row_margin(before: Answer, after: Answer, row: int) -> tuple[bool, float]:
    """Whether a row's tags are the same, and how sure the first were where they are not."""
    old, new = list(before["tags"][row]), list(after["tags"][row])
    p_W, q_W = (np.asarray(a["word_confidence"][row], np.float64) for a in (before, after))
    if len(old) != len(new):
        return False, np.inf
    other_W = np.array([a != b for a, b in zip(old, new, strict=True)], dtype=bool)
    margin = float((2 * p_W[other_W] - 1).max(initial=0.0))
    same = not other_W.any()
    if same and "sure" in before and list(before["sure"][row]) != list(after["sure"][row]):
        return False, float(np.abs(p_W - q_W).max(initial=0.0))
    return same, margin
