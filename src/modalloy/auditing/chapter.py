"""One chapter of the evidence: sentences, tables, and what is missing in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.answer.loader import Loader
from modalloy.judge.report import Report
from modalloy.runs.run import Run
from modalloy.table.split import Parts


class Gap(NamedTuple):
    """What an auditor would ask for and the folder does not hold, and what closes it."""

    what: str
    do: str


class Lines(NamedTuple):
    """A table: its title, its head, its rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Chapter:
    """key: of the page's part. said: sentences with their full stops."""

    key: str
    title: str
    said: list[str] = field(default_factory=list)
    tables: list[Lines] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """What `evidence.json` holds of it."""
        return {
            "key": self.key,
            "title": self.title,
            "said": self.said,
            "tables": [table._asdict() for table in self.tables],
            "gaps": [gap._asdict() for gap in self.gaps],
        }


@dataclass(frozen=True)
class Known:
    """All that chapters are written from.

    about: what its owner says of the run, see `about_file`. report: None where there is none that
    can be read, for the reason `no_report`. loader, parts: the run's own table as it reads it and
    the row numbers of each part; None where the table is gone or was changed, for `no_table`.
    live: the folder of the served model, if there is one.
    """

    run: Run
    about: Mapping[str, str]
    report: Report | None
    no_report: str
    loader: Loader | None
    parts: Parts | None
    no_table: str
    live: Path | None
