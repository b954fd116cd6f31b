"""What a search has found: rows with their scores, as data, in words and as a page."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import empty
from modalloy.judge.report import plain
from modalloy.machine.files import write_safely
from modalloy.report.html import short

if TYPE_CHECKING:
    import pandas as pd

LETTERS = 160  # of a cell that is printed
PLAIN = ("text", "tokens", "number", "category", "time")


class Hit(NamedTuple):
    """One row that was found: its number in the table, its cosine with the query, its cells of
    words, numbers, names and times.
    """

    row: int
    score: float
    cells: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """The hits of each query, best first.

    asked: the query in words. against: the column that was compared, None for whole rows. queries:
    a list of hits for each query: one, or one a row of the table that was given. where: filters in
    words. notes: what is to be said of the search. aligned: the run has a space for all columns.
    """

    asked: str
    against: str | None
    queries: Sequence[Sequence[Hit]]
    where: Sequence[str]
    source: str
    run: str
    loader: Loader
    notes: Sequence[str] = ()
    aligned: bool = True

    def __iter__(self) -> Iterator[Hit]:
        """The hits of the first query."""
        return iter(self.queries[0] if self.queries else ())

    def __len__(self) -> int:
        return len(self.queries[0]) if self.queries else 0

    @property
    def rows(self) -> list[int]:
        """Numbers of the rows found by the first query, best first."""
        return [hit.row for hit in self]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "asked": self.asked,
            "against": self.against or "whole rows",
            "where": list(self.where),
            "table": self.source,
            "run": self.run,
            "notes": list(self.notes),
            "found": [[hit._asdict() for hit in hits] for hits in self.queries],
        }

    def frame(self) -> "pd.DataFrame":
        """One line a hit: query, rank, row, score, and the row's cells."""
        import pandas as pd

        lines = [
            {"query": q, "rank": k, "row": hit.row, "score": hit.score, **clear(hit.cells)}
            for q, hits in enumerate(self.queries)
            for k, hit in enumerate(hits, start=1)
        ]
        return pd.DataFrame(lines, columns=None if lines else ["query", "rank", "row", "score"])

    def text(self) -> str:
        """Lines for a terminal."""
        compared = f"column '{self.against}'" if self.against else "whole rows"
        filters = f", where {' and '.join(self.where)}" if self.where else ""
        lines = [f"{self.asked} in {self.source}, by {compared}{filters}"]
        for number, hits in enumerate(self.queries):
            if len(self.queries) > 1:
                lines.append(f"query {number}")
            if not hits:
                lines.append("  no row is left to be found")
            for hit in hits:
                cells = [f"{n}: {spelled(v)}" for n, v in hit.cells.items() if not empty(v)]
                lines.append(
                    f"  row {hit.row:<8} {hit.score:6.3f}  {'; '.join(cells[:4])}".rstrip()
                )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def html(self) -> str:
        """The page: thumbnails, players and words, in one file without outside assets."""
        from modalloy.retrieval.page import found_page

        return found_page(self)

    def save(self, path: Path) -> None:
        """Write the page, and the same as JSON beside it."""
        write_safely(path, self.html().encode())
        data = json.dumps(plain(self.as_dict()), indent=1, ensure_ascii=False, allow_nan=False)
        write_safely(path.with_suffix(".json"), data.encode())

    def _repr_html_(self) -> str:
        from modalloy.report.document import framed

        return framed(self.html())


def hits_of(loader: Loader, rows: np.ndarray, scores: np.ndarray) -> list[Hit]:
    """Rows with their scores and those cells that can be printed; -1 is no row."""
    keep = rows >= 0
    rows, scores = rows[keep], scores[keep]
    names = printed(loader)
    cells = {n: loader.table.written(n, rows) for n in names} if len(rows) else {}
    return [
        Hit(int(row), float(score), {n: told(cells[n][i]) for n in names})
        for i, (row, score) in enumerate(zip(rows, scores, strict=True))
    ]


def printed(loader: Loader) -> list[str]:
    """Columns whose cells are printed: inputs of words, numbers, names and times, and targets."""
    names = [n for n, r in loader.readers.items() if r.kind in PLAIN]
    targets = [getattr(task, "target", None) for task in loader.job.tasks.values()]
    names += [t for t in targets if isinstance(t, str)]
    return [n for n in dict.fromkeys(names) if n in loader.table.columns]


def spelled(cell: Any) -> str:
    """A cell on a line for a terminal."""
    return f"{cell:.6g}" if isinstance(cell, float) else short(cell, 60)


def told(cell: Any) -> Any:
    """A cell as it is printed: long texts are cut."""
    if empty(cell):
        return None
    if isinstance(cell, str):
        return short(cell, LETTERS)
    if isinstance(cell, int | float):
        return cell
    if isinstance(cell, np.ndarray | list | tuple):
        return short(" ".join(map(str, cell)), LETTERS)
    return short(cell, LETTERS)


def clear(cells: dict[str, Any]) -> dict[str, Any]:
    """Cells under names that do not hide those of the frame."""
    return {
        f"cell.{n}" if n in ("query", "rank", "row", "score") else n: v for n, v in cells.items()
    }
