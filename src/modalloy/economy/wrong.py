"""Which decisions of a run are wrong, and how wrong answers are: what buying less may cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.policy.seen import Form
from modalloy.tasks.kit import kit_of

MISSED = 0.9  # share of numbers that the run with every column answers near enough
SMALLEST = 1e-4  # probability of the truth below which an answer is no more wrong
WORST = 4.0  # squared error in units of what is near enough, at most


class Judge:
    """Judges answers of one task. tolerance: how far a number may be off.

    One class a row: wrong where another class is answered. Several labels: wrong where any of them
    is. A number: wrong where it misses the truth by more than the run with every column misses nine
    of ten of the rows that policies are learned from, on the scale that the task is learned on.
    """

    def __init__(self, name: str, options: config.TaskOptions, names: Sequence[str] | None) -> None:
        if not kit_of(options).promises or not kit_of(options).whole_row:
            raise JobError(
                f"tasks.{name}: {options.type} gives no single answer a row, so nothing says which "
                "decision is wrong when a column is left out; economize needs runs whose tasks are "
                "classify or regress."
            )
        self.name, self.names = name, list(names or ())
        several = bool(getattr(options, "several", False))
        self.kind = "number" if names is None else "labels" if several else "classes"
        self.tolerance = np.inf

    def form(self, answer: Answer) -> Form:
        """How answers become features, with numbers scaled by these rows' answers."""
        if self.kind != "number":
            return Form(self.kind, len(self.names))
        y_N = np.asarray(answer["value"], dtype=np.float64)
        scale = float(y_N.std()) or 1.0
        quantiles = answer.get("quantiles")
        several = quantiles is not None and quantiles.shape[1] > 1
        return Form("number", 0, float(y_N.mean()), scale, several)

    def learn_tolerance(self, answer: Answer, truth: Sequence[Any]) -> None:
        """Take how far a number may be off from answers with every column read."""
        if self.kind == "number":
            error_N = self._off(answer, truth)
            known_N = error_N[np.isfinite(error_N)]
            self.tolerance = float(np.quantile(known_N, MISSED)) if len(known_N) else np.inf

    def wrong(self, answer: Answer, truth: Sequence[Any]) -> np.ndarray:
        """Which answers are wrong, (N,) bool; none where the truth is not known."""
        known_N = np.array([t is not None for t in truth], dtype=bool)
        if self.kind == "number":
            return known_N & (np.nan_to_num(self._off(answer, truth)) > self.tolerance)
        right_NC, p_NC = self._truth(truth), np.asarray(answer["probability"])
        if self.kind == "labels":
            unseen_N = np.array([bool(set(map(str, t or ())) - {*self.names}) for t in truth])
            return known_N & (((p_NC >= 0.5) != right_NC).any(1) | unseen_N)
        return known_N & ~right_NC[np.arange(len(p_NC)), p_NC.argmax(1)]

    def loss(self, answer: Answer, truth: Sequence[Any]) -> np.ndarray:
        """How wrong each answer is, (N,): minus the logarithm of the truth's probability, or the
        squared error in units of the tolerance; 0 where the truth is not known."""
        known_N = np.array([t is not None for t in truth], dtype=bool)
        if self.kind == "number":
            off_N = np.nan_to_num(self._off(answer, truth)) / max(self.tolerance, 1e-12)
            return np.where(known_N, np.minimum(off_N**2, WORST), 0.0)
        right_NC = self._truth(truth)
        p_NC = np.asarray(answer["probability"], dtype=np.float64)
        if self.kind == "labels":
            p_N = np.where(right_NC, p_NC, 1.0 - p_NC).clip(SMALLEST)
            return np.where(known_N, -np.log(p_N).mean(1), 0.0)
        return np.where(known_N, -np.log((p_NC * right_NC).sum(1).clip(SMALLEST)), 0.0)

    def _truth(self, truth: Sequence[Any]) -> np.ndarray:
        """Which classes are true of each row, (N, C) bool."""
        own = [
            set(map(str, t if isinstance(t, list) else [t])) if t is not None else () for t in truth
        ]
        return np.array([[n in some for n in self.names] for some in own], dtype=bool).reshape(
            len(truth), len(self.names)
        )

    def _off(self, answer: Answer, truth: Sequence[Any]) -> np.ndarray:
        """How far each number is off, (N,), NaN where the truth is not known."""
        true_N = np.array([np.nan if t is None else t for t in truth], dtype=np.float64)
        return np.abs(np.asarray(answer["value"], dtype=np.float64) - true_N)
