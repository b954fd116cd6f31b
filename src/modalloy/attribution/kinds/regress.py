"""Explains `regress`: the number that is answered."""

from typing import Any

import numpy as np

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.outcome import NumberOutcome
from modalloy.judge.wording import brief
from modalloy.readers.number import from_log


class NumberKind:
    """The number, on the scale that the task learns."""

    def find(self, asked: AskedRow, task: str, *, label: str | None, item: int) -> NumberOutcome:
        """The number."""
        del label, item
        options: Any = asked.run.job.tasks[task]
        unit = options.unit or ""
        if options.scale == "log":
            unit = f"log({unit or 'target'})"
        return NumberOutcome(task, f"{options.target}", unit)

    def say(self, asked: AskedRow, task: str) -> str:
        """The number with its unit."""
        options: Any = asked.run.job.tasks[task]
        value = np.asarray(asked.ask(task, [frozenset()])["value"], np.float64)[:1]
        value = from_log(value) if options.scale == "log" else value
        return f"{brief(float(value[0]))} {options.unit or ''}".rstrip()
