"""One figure of a report: of one task, or the median of all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A metric of a task. median: of all tasks, the `task` being a name for them."""

    task: str
    metric: str
    lower_is_better: bool = field(default=False, kw_only=True)
    median: bool = field(default=False, kw_only=True)

    @property
    def key(self) -> str:
        """Tells the figures of one set apart."""
        return f"{self.task}/{self.metric}"

    def value(self, report: Mapping[str, Any]) -> float:
        """The figure in a report."""
        if not self.median:
            return report["tasks"][self.task][self.metric]
        values = sorted(t[self.metric] for t in report["tasks"].values())
        return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2

    def interval(self, report: Mapping[str, Any]) -> list[float]:
        """Its bootstrap interval (the middle task's for a median)."""
        if not self.median:
            return report["tasks"][self.task]["interval"][self.metric]
        tasks = sorted(report["tasks"].values(), key=lambda t: t[self.metric])
        return tasks[len(tasks) // 2]["interval"][self.metric]
