"""A version of a deployment as it is served: loaded once, asked for many requests at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modalloy.answer.frame import answer_columns
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.table_caveats import Odd
from modalloy.bundle.bundled import Bundle
from modalloy.checks.finding import Finding
from modalloy.deployment.version import Version
from modalloy.serving.plain import records_of
from modalloy.serving.rows import Row
from modalloy.serving.schema import Column, columns_of
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

NOWHERE = Path("/dev/null/no folder")  # where a path in a cell would be looked for
STATUS, NUMBER = "status.", ("row", "row.number")


@dataclass(frozen=True)
class Told:
    """What a model says of the rows of one request.

    frame: as `predict` writes it. answers, cells: of each row its answer and what its cells were
    worth, as JSON. unreadable: the first cell that holds something that cannot be read.
    """

    frame: pd.DataFrame
    answers: list[dict[str, Any]]
    cells: list[dict[str, str]]
    caveats: list[str]
    unreadable: str | None = None

    def of_row(self, at: int) -> "Told":
        """What is said of one of the rows."""
        part = slice(at, at + 1)
        own = self.frame.iloc[part].reset_index(drop=True)
        return Told(own, self.answers[part], self.cells[part], self.caveats)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A version with its predictor. columns: what its rows hold. alone: rows are read by what
    stands beside them (a history), so requests are never answered together.
    """

    version: Version
    predictor: Predictor
    columns: Mapping[str, Column]
    alone: bool

    @classmethod
    def load(cls, version: Version, trust: Path | None = None) -> "ServedModel":
        """The model of a version; RunError or BundleError where it is not the one added.

        trust: the key that a bundle must be signed with.
        """
        version.check_whole()
        predictor = Predictor(version.path, trust=trust)
        options = predictor.run.job.columns.values()
        alone = any(getattr(o, "history", None) is not None for o in options)
        return cls(version, predictor, columns_of(predictor.run), alone)

    @property
    def name(self) -> str:
        """What the run or bundle is called."""
        return self.version.path.name

    @property
    def is_bundle(self) -> bool:
        """Whether it answers, and holds nothing that could be looked into."""
        return isinstance(self.predictor.run, Bundle)

    def tell(self, requests: Sequence[Sequence[Row]]) -> list[Told]:
        """Answers to several requests' rows, through the network together."""
        rows = [row for some in requests for row in some]
        loader, found = self.predictor.open(open_table(rows, folder=NOWHERE))
        return self.tell_rows(loader, found, [len(some) for some in requests])

    def tell_rows(
        self, loader: Loader, found: Sequence[Finding], counts: Sequence[int], start: int = 0
    ) -> list[Told]:
        """Answers to rows of an open table from `start` on, so many a request."""
        which = np.arange(start, start + sum(counts))
        said = self.predictor.say(loader, which)
        run = self.predictor.run
        columns = answer_columns(said, run.job, run.targets)
        plain = {n: c for n, c in columns.items() if not n.startswith(STATUS) and n not in NUMBER}
        answers = records_of(plain, len(which))
        worth = records_of(said.status, len(which))
        frame = pd.DataFrame(columns)
        told, at = [], 0
        for count in counts:
            part = slice(at, at + count)
            odd = {name: Odd.of(some[part]) for name, some in said.status.items()}
            caveats = self.predictor.caveats(loader, found, odd)
            own = frame if len(counts) == 1 else frame.iloc[part].reset_index(drop=True)
            bad = unreadable(worth[part])
            told.append(Told(own, answers[part], worth[part], caveats, bad))
            at += count
        return told

    def open(self, table: Table) -> tuple[Loader, list[Finding]]:
        """A whole table of rows as the run reads it."""
        loader, found = self.predictor.open(table)
        return loader, found


def unreadable(cells: Sequence[Mapping[str, str]]) -> str | None:
    """The first cell that cannot be read, in a sentence."""
    for row, worth in enumerate(cells):
        for name, status in worth.items():
            if status.startswith("unreadable: "):
                why = status.removeprefix("unreadable: ").rstrip(".")
                return (
                    f"row {row}, column '{name}': {why}. Mend it, or write null to have the row "
                    "answered without this cell."
                )
    return None
