"""Compares answers of `generate`: the text, letter by letter."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared
from modalloy.answer.answers import Answer


class TextAgreement(Agreement):
    """The margin is how much likelier its pieces were in the mean than all others together."""

    margin: ClassVar[str] = "mean probability of a piece beyond that of all others"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """The same text."""
        del task, options, target
        pairs = zip(before["text"], after["text"], strict=True)
        same_B = np.array([a == b for a, b in pairs], dtype=bool)
        sure_B = np.asarray(before["confidence"], np.float64)
        return Compared(same_B, np.where(same_B, 0.0, (2 * sure_B - 1).clip(0.0)))

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """The text."""
        return str(answer["text"][row])
