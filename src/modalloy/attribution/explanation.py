"""Why a run answers one row as it does: figures, sentences, and the page that shows them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modalloy.attribution.change import Change
from modalloy.attribution.columns import ColumnShares
from modalloy.attribution.inside import Inside
from modalloy.attribution.outcome import Outcome
from modalloy.attribution.past import PastRow
from modalloy.cells.cells import Cells
from modalloy.judge.report import plain
from modalloy.judge.wording import brief
from modalloy.machine.files import write_safely
from modalloy.runs.run import Run


@dataclass(frozen=True)
class TaskReasons:
    """Why one task's answer is what it is.

    answered: the answer in words. outcome: the number that is explained; None where the row has no
    span or box, and then there is nothing else. network: the share of the answer that the network
    has, whose opinion `inside` is. changes: of actionable numbers; None where none was named.
    """

    task: str
    answered: str
    outcome: Outcome | None = None
    columns: ColumnShares | None = None
    inside: Sequence[Inside] = ()
    network: float = 1.0
    changes: Sequence[Change] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        if self.outcome is None or self.columns is None:
            return {"answer": self.answered}
        shares = self.columns.shares
        error_N = [None] * len(shares.value_N) if shares.error_N is None else shares.error_N
        values = zip(self.columns.columns, shares.value_N, error_N, strict=True)
        found = {
            "answer": self.answered,
            "explains": self.outcome.what,
            "unit": self.outcome.unit,
            "value": shares.whole,
            "value_with_all_hidden": shares.nothing,
            "exact": shares.error_N is None,
            "coalitions": shares.asked,
            "columns": {
                c: {"adds": v} if e is None else {"adds": v, "standard_error": e}
                for c, v, e in values
            },
            "missing": self.columns.absent,
            "pairs": [{"columns": [a, b], "adds": v} for a, b, v in self.columns.pairs()],
            "network_share": self.network,
            "inside": {i.column: inside_dict(i) for i in self.inside},
        }
        if self.changes is not None:
            found["changes"] = [c.as_dict() for c in self.changes]
        return found

    def text(self) -> str:
        """Lines for a terminal."""
        if self.outcome is None or self.columns is None:
            return f"{self.task}: {self.answered}; nothing to explain"
        shares, unit = self.columns.shares, self.outcome.unit
        lines = [
            f"{self.task}: {self.answered}",
            f"  {self.outcome.what} {say(shares.whole, unit)}; "
            f"{say(shares.nothing, unit)} with every column hidden",
        ]
        for i in self.columns.order:
            error = "" if shares.error_N is None else f" (± {brief(float(shares.error_N[i]))})"
            value = signed(float(shares.value_N[i]), unit)
            lines.append(f"  {value:>12}  {self.columns.columns[i]}{error}")
        lines += [f"  {i.column}: {say_inside(i)}" for i in self.inside]
        lines += [f"  {c.said}" for c in self.changes or ()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Explanation:
    """Why a run answers a row as it does, task by task; a notebook shows it as its page.

    cells: of the row, of all columns that are read. past: the nearest rows that were learned from,
    nearest first, or a sentence why there are none; compared, learned: with how many of how many
    it was compared. past_cells: theirs. lines: multiples of the shaft speed that spectra are marked
    at.
    """

    run: Run
    source: str
    row: int
    tasks: Sequence[TaskReasons]
    status: dict[str, str]
    cells: Cells
    past: Sequence[PastRow] | str = ()
    past_cells: Cells | None = None
    compared: int = 0
    learned: int = 0
    lines: Sequence[float] = ()

    def __getitem__(self, task: str) -> TaskReasons:
        return next(t for t in self.tasks if t.task == task)

    def as_dict(self) -> dict[str, Any]:
        """What the page says, as JSON."""
        past: Any = self.past
        if not isinstance(past, str):
            past = [{"row": p.row, "distance": p.distance, "truth": p.truth} for p in past]
        return plain(
            {
                "run": str(self.run.path),
                "table": self.source,
                "row": self.row,
                "status": self.status,
                "tasks": {t.task: t.as_dict() for t in self.tasks},
                "past": past,
                "compared": {"rows": self.compared, "of": self.learned},
            }
        )

    def text(self) -> str:
        """Lines for a terminal."""
        return "\n".join([f"row {self.row} of {self.source}", *(t.text() for t in self.tasks)])

    def html(self) -> str:
        """The page: one file that needs no network."""
        from modalloy.attribution.row_page import row_page

        return row_page(self)

    def _repr_html_(self) -> str:
        from modalloy.report.document import framed

        return framed(self.html())

    def save(self, page: Path) -> None:
        """Write the page, and beside it the same as JSON."""
        write_both(page, self.html(), self.as_dict())


def write_both(page: Path, html: str, said: dict[str, Any]) -> None:
    """A page and a JSON file of the same name."""
    write_safely(page, html.encode("utf-8"))
    text = json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_safely(page.with_suffix(".json"), text.encode("utf-8"))


def inside_dict(inside: Inside) -> dict[str, Any]:
    """The strongest parts of a cell as JSON."""
    found: dict[str, Any] = {
        "method": inside.method,
        "parts": [{"share": p.share, "said": p.said, **p.where} for p in inside.places()],
    }
    if inside.bands:
        found["bands"] = [b._asdict() for b in inside.bands]
    return found


def say_inside(inside: Inside) -> str:
    """The strongest parts of a cell in a line."""
    parts = [f"{p.said} ({signed(100 * p.share, '%')})" for p in inside.places(3)]
    return "; ".join(parts)


def say(value: float, unit: str) -> str:
    """A number with its unit."""
    return f"{brief(value)} {unit}".rstrip()


def signed(value: float, unit: str = "") -> str:
    """A number that is added, with its sign."""
    return f"{'−' if value < 0 else '+'}{brief(abs(value))} {unit}".rstrip()
