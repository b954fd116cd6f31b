"""Explains `classify`: the probability of a class or label."""

import numpy as np

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.outcome import ClassOutcome, say_truth


class ClassKind:
    """A class, the likeliest where none is asked for."""

    def find(self, asked: AskedRow, task: str, *, label: str | None, item: int) -> ClassOutcome:
        """Its probability."""
        del item
        options, names = asked.run.job.tasks[task], list(asked.run.targets[task].names)
        p_C = asked.ask(task, [frozenset()])["probability"][0]
        at = int(np.argmax(p_C)) if label is None else names.index(label)
        what = f"probability of '{names[at]}'"
        return ClassOutcome(task, what, name=names[at], index=at, several=options.several)

    def say(self, asked: AskedRow, task: str) -> str:
        """The class and how sure it is, or the labels."""
        p_C = asked.ask(task, [frozenset()])["probability"][0]
        names = asked.run.targets[task].names
        if asked.run.job.tasks[task].several:
            return say_truth([n for n, p in zip(names, p_C, strict=True) if p >= 0.5])
        best = int(np.argmax(p_C))
        return f"{names[best]} ({100 * p_C[best]:.0f} % sure)"
