"""What a rule sees of rows: what they have bought, what they could buy, and how they are answered
with what is bought.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answer, Answers

MOST_CLASSES = 12  # whose probabilities are seen one by one; of more the largest are, sorted


class Seen(NamedTuple):
    """B rows in the middle of buying. bought_BM: inputs that are bought. open_BM: those whose cell
    is there and that are not bought. x_BF: `Features` of the answer with what is bought; no cell
    that is not bought has a part in it.
    """

    bought_BM: np.ndarray
    open_BM: np.ndarray
    x_BF: np.ndarray

    @property
    def sure_B(self) -> np.ndarray:
        """How sure the answers are, from 0 to 1: of several tasks the least sure one."""
        return self.x_BF[:, 0]

    def inputs(self) -> np.ndarray:
        """All of it side by side, (B, 2M + F) float32: what networks see."""
        return np.concatenate([self.bought_BM, self.open_BM, self.x_BF], axis=1, dtype=np.float32)


@dataclass(frozen=True)
class Form:
    """How one task's answers become features. kind: `classes`, `labels` or `number`. classes: how
    many. center, scale: of answered numbers. quantiles: whether answers have some.
    """

    kind: str
    classes: int = 0
    center: float = 0.0
    scale: float = 1.0
    quantiles: bool = False

    def features(self, answer: Answer) -> np.ndarray:
        """How sure it is, then what else is seen, (B, F) float64."""
        if self.kind == "number":
            z_B = (np.asarray(answer["value"], dtype=np.float64) - self.center) / self.scale
            width_B = np.zeros_like(z_B)
            if self.quantiles:
                width_B = np.ptp(np.asarray(answer["quantiles"], dtype=np.float64), axis=1)
            return np.stack([1.0 / (1.0 + np.abs(width_B) / self.scale), z_B.clip(-5, 5)], axis=1)
        p_BC = np.asarray(answer["probability"], dtype=np.float64)
        if self.kind == "labels":
            sure_BC = np.maximum(p_BC, 1.0 - p_BC)
            return np.column_stack([sure_BC.min(1), sure_BC.mean(1), one_by_one(p_BC)])
        sorted_BC = np.sort(p_BC, axis=1)[:, ::-1]
        margin_B = sorted_BC[:, 0] - sorted_BC[:, 1]
        surprise_BC = -p_BC * np.log(p_BC.clip(1e-9))
        told_B = 1.0 - surprise_BC.sum(1) / np.log(p_BC.shape[1])
        return np.column_stack([sorted_BC[:, 0], margin_B, told_B, one_by_one(p_BC)])


@dataclass(frozen=True)
class Features:
    """How answers of all tasks become what rules see: the least sure task first."""

    forms: Mapping[str, Form]

    def of(self, answers: Answers) -> np.ndarray:
        """(B, F) float32, the first column from 0 to 1."""
        parts = [form.features(answers[task]) for task, form in self.forms.items()]
        sure_B = np.min([x_BF[:, 0] for x_BF in parts], axis=0)
        return np.column_stack([sure_B, *parts]).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return {task: vars(form) for task, form in self.forms.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Features":
        """The features whose `state` this is."""
        return cls({task: Form(**fields) for task, fields in state.items()})


def one_by_one(p_BC: np.ndarray) -> np.ndarray:
    """Probabilities in the order of the classes; of many classes the largest, sorted."""
    if p_BC.shape[1] <= MOST_CLASSES:
        return p_BC
    return np.sort(p_BC, axis=1)[:, : -MOST_CLASSES - 1 : -1]
