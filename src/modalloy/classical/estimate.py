"""Fitted models of one task side by side: one for all classes or numbers, or one a label."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.kept import State, each_of, listed
from modalloy.classical.truth import TaskTruth


class Model(Protocol):
    """Numbers (B,), or probabilities (B, C) of the classes that it was fitted on, in order."""

    def predict(self, x: Any, /) -> np.ndarray:
        """Answers to these features."""


Fit = Callable[[np.ndarray, np.ndarray], Model]  # rows, their right answers -> a model


@dataclass(frozen=True)
class Estimate:
    """`models` and the classes that each answers; a class without one has its share of the rows.

    share_C: None for numbers. several: a model a label, which answers whether a row has it.
    """

    models: tuple[Model, ...]
    share_C: np.ndarray | None
    answers: tuple[tuple[int, ...], ...]
    several: bool

    @classmethod
    def fit(cls, task: TaskTruth, fit: Fit, at: np.ndarray) -> Self:
        """Models of the rows at these positions; a class that all or none of them have needs none.

        fit: also gets, in place of right answers, 0 and 1 for one label or numbers of classes.
        """
        if task.numeric:
            return cls((fit(at, task.numbers(at)),), None, ((),), several=False)
        y_NC = task.labels(at)
        share_C = y_NC.mean(0)
        if task.several:
            mixed = np.flatnonzero((y_NC.min(0) < 1) & (y_NC.max(0) > 0)).tolist()
            models = tuple(fit(at, y_NC[:, c].astype(int)) for c in mixed)
            return cls(models, share_C, tuple((c,) for c in mixed), several=True)
        rows = y_NC.any(1)
        y_N = y_NC.argmax(1)[rows]
        classes = np.unique(y_N).tolist()
        if len(classes) < 2:
            return cls((), share_C, (), several=False)
        return cls((fit(at[rows], y_N),), share_C, (tuple(classes),), several=False)

    def answer(self, x: Any, rows: int) -> Answer:
        """`value` (B,) or `probability` (B, C) of so many rows."""
        if self.share_C is None:
            return {"value": self.models[0].predict(x)}
        out_BC = np.tile(self.share_C, (rows, 1))
        for model, classes in zip(self.models, self.answers, strict=True):
            if self.several:
                out_BC[:, classes[0]] = model.predict(x)[:, 1]
            else:
                out_BC[:] = 0.0
                out_BC[:, classes] = model.predict(x)
        return {"probability": out_BC}

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name; of models that can be kept."""
        models: tuple[Any, ...] = self.models
        meta, arrays = listed([model.state() for model in models])
        if self.share_C is not None:
            arrays["share_C"] = self.share_C
        return {"models": meta, "answers": self.answers, "several": self.several}, arrays

    @classmethod
    def from_state(
        cls, kind: Any, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """The models of this kind whose `state` this is."""
        models = tuple(kind.from_state(*state) for state in each_of(meta["models"], arrays))
        answers = tuple(tuple(classes) for classes in meta["answers"])
        return cls(models, arrays.get("share_C"), answers, meta["several"])
