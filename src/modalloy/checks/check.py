"""`check`: everything that is wrong with a job and its table before training, and what it costs."""

import textwrap
from collections import Counter
from dataclasses import dataclass

import numpy as np

from modalloy.checks.columns import column_findings
from modalloy.checks.estimate import Estimate, estimate
from modalloy.checks.finding import Finding, Level, counted, finding, reading_notes, share
from modalloy.checks.leaks import declared_groups, group_findings, likely_groups
from modalloy.checks.media_findings import file_findings
from modalloy.checks.media_scan import Files, Media, scan
from modalloy.checks.near_duplicates import twin_findings
from modalloy.checks.pretrained_findings import encoder_findings, unknown_findings
from modalloy.checks.target_findings import Truth, box_findings, target_findings, truths
from modalloy.checks.target_leakage import telltale_findings
from modalloy.job import config
from modalloy.job.inputs import inputs, sources
from modalloy.table.split import Parts, calibration_joined, single_group
from modalloy.table.table import Table

LEVELS: tuple[Level, ...] = ("error", "leak", "warning", "note")
WIDTH = 100  # letters in a line of the terminal
SHOWN = 5  # rows that a line names


@dataclass(frozen=True)
class Check:
    """What `check` found, gravest first, and what training will cost on this machine."""

    findings: list[Finding]
    estimate: Estimate
    allow_leak: bool = False

    @property
    def minutes(self) -> float:
        """Estimated minutes of training."""
        return self.estimate.minutes

    @property
    def memory_gb(self) -> float:
        """Estimated gigabytes of memory at the peak of training."""
        return self.estimate.memory_gb

    @property
    def errors(self) -> list[Finding]:
        """What makes training senseless."""
        return [f for f in self.findings if f.level == "error"]

    @property
    def leaks(self) -> list[Finding]:
        """What would let the model see its own answers."""
        return [f for f in self.findings if f.level == "leak"]

    @property
    def ok(self) -> bool:
        """Whether `train` would begin."""
        return not self.errors and (self.allow_leak or not self.leaks)

    def text(self) -> str:
        """Everything, for the terminal."""
        counts = Counter(f.level for f in self.findings)
        told = [counted(counts[level], level) for level in LEVELS if counts[level]]
        column = min(28, max([len(f.where) for f in self.findings], default=0))
        lines = [line for f in self.findings for line in _lines(f, column)]
        return "\n".join([", ".join(told) or "nothing found", *lines, self.estimate.text()])


def check(job: config.Job, table: Table, parts: Parts) -> Check:
    """Look for what is wrong with a table before a model is trained on it; torch is not needed.

    Media files are read once each, in threads. Test rows are looked at for leaks and broken cells
    only. Raises TableError where the job names a column that the table lacks.
    """
    rows = np.concatenate(parts)
    files = {
        (name, source): scan(table, source, options, rows, allow_outside=job.allow_outside)
        for name, options in inputs(job).items()
        if isinstance(options, Media) and getattr(options, "history", None) is None
        for source in _file_sources(name, options, table)
    }
    found = [*encoder_findings(job), *unknown_findings(job, table, rows)]
    found += [*_split_findings(job, table, parts), *reading_notes(table)]
    for (name, source), own in files.items():
        options = job.columns[name]
        found += file_findings(source, own, options, unreadable=job.unreadable)
    known, unfit = truths(job, table, parts)
    found += unfit
    for truth in known:
        found += target_findings(truth, table, parts)
    found += column_findings(job, table, parts)
    found += _leaks(job, table, parts, files, known)
    found.sort(key=lambda f: LEVELS.index(f.level))
    return Check(found, estimate(job, table, parts), job.allow_leak)


def _file_sources(name: str, options: Media, table: Table) -> list[str]:
    """Columns that may hold files or their paths."""
    held = [c for c in sources(name, options) if c != getattr(options, "rpm", None)]
    return [c for c in held if table.holds_files(c) or table.kind(c) not in ("list", "other")]


def _leaks(
    job: config.Job,
    table: Table,
    parts: Parts,
    files: dict[tuple[str, str], Files],
    known: list[Truth],
) -> list[Finding]:
    """Everything that lets answers be looked up, in training rows or in those that calibrate."""
    parts = calibration_joined(parts)
    found: list[Finding] = []
    if len(parts.test):
        found += group_findings(job, table, parts, known)
        found += likely_groups(job, table, parts, known)
        found += twin_findings(job, table, parts, files, known)
    declared = [c for c in declared_groups(job) if table.kind(c) not in ("list", "other")]
    groups = table.codes(declared[0])[0] if declared else None
    found += telltale_findings(job, table, parts, known, groups)
    for truth in known:
        for on in truth.goal.pictures[:1]:
            if (on, on) in files:
                found += box_findings(truth, files[on, on])
    return found


def _split_findings(job: config.Job, table: Table, parts: Parts) -> list[Finding]:
    """Rows that no part has, and training rows that are all of one group."""
    found = _unused(table, parts)
    by = job.split.by
    if by is not None and len(parts.validation) and single_group(table.codes(by)[0][parts.train]):
        seen = np.isin(table.codes(by)[0][parts.validation], table.codes(by)[0][parts.train])
        if seen.any():
            what = (
                f"all training and validation rows are of one {by}: only the test rows tell how "
                "another one is answered"
            )
            found.append(finding("warning", "split", what))
    return found


def _unused(table: Table, parts: Parts) -> list[Finding]:
    """Rows that no part has."""
    rows = np.setdiff1d(np.arange(table.rows), np.concatenate(parts))
    if not len(rows):
        return []
    what = f"{len(rows)} rows ({share(len(rows), table.rows)}) are in no part and stay unused"
    return [finding("note", "split", what, rows)]


def _lines(found: Finding, column: int) -> list[str]:
    """One finding, wrapped under itself."""
    head = f"  {found.level:<8}{found.where:<{column}}  "
    rows = ", ".join(map(str, found.rows[:SHOWN]))
    more = ", ..." if found.count > SHOWN else ""
    told = f"{found.what} (row{'s' * (found.count != 1)} {rows}{more})" if rows else found.what
    return textwrap.wrap(
        told, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False
    )
