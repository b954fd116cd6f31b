"""What `watch` found in a window of rows."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Trust = Literal["well", "with care", "cannot be told"]


@dataclass(frozen=True)
class Since:
    """The first row of the table that is different, and when it was, where rows have times."""

    row: int
    when: str = ""


@dataclass(frozen=True)
class Drift:
    """One thing that is no longer as it was.

    where: a column, a channel of one, or a task. kind: of the surest test, see `comparisons.py`.
    of: what of the column. said: in words, without a full stop. size: on the test's own scale.
    much: in a word. chance: of so much without drift. stability: the population stability index,
    where the test is of numbers or names. since: None where all rows are alike. rows: numbers of
    the rows that are most unlike, the most first. besides: what else of the same column is found.
    noticed: the row at which a sum that goes row by row had risen to an alarm.
    """

    where: str
    kind: str
    of: str
    said: str
    size: float
    much: Literal["slight", "moderate", "large"]
    chance: float
    stability: float | None = None
    since: Since | None = None
    rows: tuple[int, ...] = ()
    besides: tuple[str, ...] = ()
    noticed: Since | None = None


@dataclass(frozen=True)
class Estimated:
    """How well a task's rows are answered. figure: `accuracy`, or `mae` in `unit`. value, low,
    high: estimated without labels, None where that cannot be told. ways: by each way. known: on
    held-back rows. true: where labels are there, from `labelled` of the rows. trust, why: how far
    the estimate can be believed.
    """

    task: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    trust: Trust
    why: str
    known: float | None = None
    true: float | None = None
    true_low: float | None = None
    true_high: float | None = None
    labelled: int = 0
    unit: str = ""
    ways: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Watched:
    """A window beside the rows that a run knows.

    rows: of the table, looked: at how many of them. tests: how many were made, and `level` the
    chance of any alarm where nothing has drifted. notes: what is to be known of the comparison.
    caveats: what of the table's columns and cells is not as in training. agreed: numbers that
    another run answers as far from this one as usual, a sentence each.
    """

    run: str
    source: str
    rows: int
    looked: int
    known: int
    tests: int
    level: float
    drifts: tuple[Drift, ...] = ()
    estimates: tuple[Estimated, ...] = ()
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    page: Path | None = None
    agreed: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether anything is no longer as it was."""
        return bool(self.drifts)

    def lines(self) -> list[str]:
        """What is printed: a sentence each."""
        from modalloy.watching.words import say_estimate, say_window

        lines = [say_window(self)]
        lines += [f"{drift.said}." for drift in self.drifts]
        lines += [f"{said}." for said in self.agreed]
        lines += [f"{say_estimate(e)}." for e in self.estimates]
        return lines

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines())

    def as_json(self) -> bytes:
        """All of it, every number finite."""
        told: dict[str, Any] = asdict(self)
        told.pop("page")
        return json.dumps({"drifted": self.drifted, **told}, indent=1, allow_nan=False).encode()
