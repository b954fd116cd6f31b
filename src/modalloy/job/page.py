"""What the text of a job file holds, and on which line."""

from dataclasses import dataclass, field
from typing import Any

from modalloy.job.faults import Fault
from modalloy.job.options import Path


@dataclass
class Page:
    """What a YAML text holds. `lines` counts from 1; `faults` is what data alone cannot show."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """Line of this path, or of the nearest group around it that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None
