"""Lines that every bench writes alike: `bench/results/NAME.json`, and a table on a page of docs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.written import put_between_marks

ROOT = Path(__file__).parent.parent
HEAD = ("case", "figure", "value", "interval", "anchor", "goal", "reached", "seconds")


class Line(NamedTuple):
    """One figure. interval: of the value, 95 %. anchor: what it is compared with, and goal: what is
    asked, in words; reached: None where nothing is asked. seconds: of everything that led to it.
    command: prints it again.
    """

    case: str
    metric: str
    value: float | None
    interval: tuple[float, float] | None = None
    anchor: str = ""
    goal: str = ""
    reached: bool | None = None
    seconds: float = 0.0
    command: str = ""


def publish(name: str, lines: Sequence[Line], page: str, *, marks: str = "figures") -> list[Line]:
    """Put these lines into a bench's results, in place of older ones of the same case and metric,
    and the table of all of them between the marks of a page of docs; all lines. marks: their name.
    """
    path = ROOT / "bench" / "results" / f"{name}.json"
    old = [Line(**fields) for fields in read(path)]
    new = {(line.case, line.metric): line for line in lines}
    every = [new.pop((line.case, line.metric), line) for line in old]
    every += new.values()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([line._asdict() for line in every], indent=1) + "\n")
    put_between_marks(table(every), ROOT / "docs" / page, marks)
    return every


def read(path: Path) -> list[dict[str, Any]]:
    """The lines that a file of results holds; none where it is not there."""
    return json.loads(path.read_text()) if path.is_file() else []


def table(lines: Sequence[Line]) -> str:
    """Markdown: a row a line, and the commands under it."""
    rows = [HEAD, ("---",) * len(HEAD), *(cells(line) for line in lines)]
    commands = dict.fromkeys(line.command for line in lines if line.command)
    return "".join(
        [
            "\n",
            *("| " + " | ".join(row) + " |\n" for row in rows),
            "\n",
            "Printed by " + ", ".join(f"`{command}`" for command in commands) + ".\n",
        ]
    )


def cells(line: Line) -> tuple[str, ...]:
    """One line in words."""
    low_high = "" if line.interval is None else " to ".join(said(v) for v in line.interval)
    reached = {None: "", True: "yes", False: "**no**"}[line.reached]
    value = "–" if line.value is None else f"**{said(line.value)}**"
    seconds = f"{line.seconds:.0f}"
    return (line.case, line.metric, value, low_high, line.anchor, line.goal, reached, seconds)


def said(value: float) -> str:
    """A figure with as many digits as are read."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
