"""Starting from an earlier run: what it has in common with a new job, and what not, in sentences.

A column or a task that has the options it had keeps its fitted reader or target, and with it the
weights of its encoder or head (`start_weights.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.checks.check import LEVELS, Check
from modalloy.checks.finding import Level, finding
from modalloy.errors import JobError, RunError
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.readers.category import CategoryReader
from modalloy.readers.reader import Reader
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.target import TargetReader, names_of
from modalloy.runs.learned_from import UNLABELLED_ROWS, prints_in
from modalloy.runs.run import PRETRAINED, Run, load_run
from modalloy.table.fingerprints import learned_rows, seen_before
from modalloy.table.split import Parts
from modalloy.table.table import Table

# Options that say how something is learned or printed; what it reads and means does not change.
HOW = {
    "tune", "last_n", "adapter", "augment", "unit", "weight", "loss", "class_weights", "lowest",
    "highest",
}  # fmt: skip


@dataclass(frozen=True)
class Started:
    """What a training has from an earlier run.

    run, sha256: its directory, and the hash of its run.json. kept: columns and tasks that go on as
    they were. unlike: what begins anew or is gone, and why, a sentence each. readers, targets: all
    of the new training, as JSON. unread: frozen weights that no package or folder holds.
    """

    run: str
    sha256: str
    kept: tuple[str, ...]
    unlike: tuple[str, ...]
    readers: dict[str, Any]
    targets: dict[str, Any]
    unread: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """The form that a checkpoint keeps."""
        return {**asdict(self), "unread": sorted(self.unread)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """What `as_dict` wrote."""
        return cls(
            fields["run"],
            fields["sha256"],
            tuple(fields["kept"]),
            tuple(fields["unlike"]),
            fields["readers"],
            fields["targets"],
            frozenset(fields["unread"]),
        )

    def note(self) -> dict[str, Any]:
        """What the new run's notes say of it."""
        told = {"run": self.run, "sha256": self.sha256}
        return told | {"kept": list(self.kept), "unlike": list(self.unlike)}

    def lines(self) -> Iterator[str]:
        """The same for a terminal."""
        yield f"starting from {self.run} with its {', '.join(self.kept)}"
        yield from (f"  {sentence}" for sentence in self.unlike)


class Fits(NamedTuple):
    """Columns and tasks that are as they were, and a sentence for each one that is not."""

    columns: dict[str, Reader]
    tasks: dict[str, TargetReader]
    unlike: list[str]


def by_chance(rows: int, alike_N: np.ndarray) -> float:
    """How many of these rows may look like ones learned from, where so many of others did."""
    share = float(alike_N.mean()) if len(alike_N) else 0.0
    return rows * share + 3.0 * (rows * share * (1.0 - share)) ** 0.5


def open_start(path: Path) -> Run:
    """The run at this place; RunError says who asked for it."""
    try:
        return load_run(path, pretrained=True)
    except RunError as error:
        raise RunError(f"train.start: {error}") from error


def compare(job: config.Job, run: Run) -> Fits:
    """What a job has in common with an earlier run, by its options alone.

    JobError where that is no column at all.
    """
    wanted, tasks = inputs(job), job.tasks
    columns = {n: differs(o, run.job.columns.get(n)) for n, o in wanted.items()}
    answered = {n: o for n, o in run.job.tasks.items() if n in run.targets}
    answers = {n: differs(o, answered.get(n)) for n, o in tasks.items()}
    unlike = [f"column '{n}' {why}" for n, why in columns.items() if why]
    unlike += [f"column '{n}' is gone" for n in run.readers if n not in wanted]
    if run.kind != PRETRAINED:  # that has no tasks, as everybody knows
        unlike += [f"task '{n}' {why}" for n, why in answers.items() if why]
    unlike += [f"task '{n}' is gone" for n in run.targets if n not in tasks]
    same = {n: run.readers[n] for n, why in columns.items() if not why}
    if not same:
        raise JobError(
            f"train.start: {run.path} shares no column with this job: it reads "
            f"{', '.join(run.readers)}, the job {', '.join(wanted)}. Take train.start away, or "
            "name a run whose columns have the same names, types and options."
        )
    return Fits(same, {n: run.targets[n] for n, why in answers.items() if not why}, unlike)


def check_start(found: Check, job: config.Job, table: Table, parts: Parts) -> Check:
    """The findings, with rows held back here that the run to start from has learned from: a leak.

    Rows of few columns repeat by themselves: those that the run has tested on do not count, and the
    others only where they are more than its own test rows would have it. Rows of the tables that it
    was pretrained on besides are each known once, so chance is what any training row looks like.
    JobError where it shares no column with the job, RunError where it cannot be read.
    """
    if job.train.start is None:
        return found
    run = open_start(job.train.start)
    compare(job, run)
    prints = run.prints()
    fitted = [prints.train, prints.validation] if run.notes.get("refit") else [prints.train]
    further = prints_in(run, UNLABELLED_ROWS)
    stopped_by = [] if run.kind == PRETRAINED else [prints.validation, prints.calibration]
    held_back: list[tuple[Level, str, np.ndarray, list[np.ndarray]]] = [
        ("leak", "test", parts.test, [*fitted, *stopped_by]),
        ("warning", "validation", parts.validation, fitted),
    ]
    findings = list(found.findings)
    for level, part, rows, seen in held_back:
        learned = np.concatenate(seen)
        tested = learned_rows(table, run.job, rows, prints.test)
        known = learned_rows(table, run.job, rows, learned) & ~tested
        besides = learned_rows(table, run.job, rows, further)
        if known.sum() <= by_chance(len(rows), seen_before(prints.test, learned)):
            known[:] = False
        if besides.sum() > by_chance(len(rows), np.isin(prints.test, learned)):
            known |= besides
        known = rows[known]
        if len(known):
            what = f"{len(known)} of {len(rows)} {part} rows are rows that {run.path} learned from"
            findings.append(finding(level, "train.start", what, known))
    findings.sort(key=lambda f: LEVELS.index(f.level))
    return replace(found, findings=findings)


def differs(options: config.Options, before: config.Options | None) -> str:
    """How a column's or a task's options differ from an earlier run's, empty where they do not."""
    if before is None:
        return "is new"
    now, then = options.model_dump(mode="json"), before.model_dump(mode="json")
    if now["type"] != then["type"]:
        return f"was of type {then['type']} and is of type {now['type']}, so it begins anew"
    other = [k for k in now if k not in HOW and now[k] != then.get(k)]
    return f"has another {' and '.join(other)}, so it begins anew" if other else ""


def take_targets(
    fitted: Mapping[str, TargetReader], fits: Fits
) -> tuple[dict[str, TargetReader], list[str]]:
    """Targets of an earlier run in the place of those fitted anew, and why not where not.

    Classes that no longer occur stay; a class that the run did not know makes the task a new one.
    """
    taken, unlike = dict(fitted), []
    for name, before in fits.tasks.items():
        now = fitted[name]
        known = names_of(before) or ()
        more = [n for n in names_of(now) or () if n not in known]
        if more:
            listed = ", ".join(f"'{n}'" for n in more)
            unlike.append(
                f"task '{name}' has classes that were not there, {listed}: it begins anew"
            )
            continue
        if isinstance(before, ClassTarget) and isinstance(now, ClassTarget):
            counts = dict(zip(now.names, now.counts, strict=True))
            here = tuple(counts.get(n, 0) for n in before.names)
            before = replace(before, counts=here, rows=now.rows)
        taken[name] = before
    return taken, unlike


def kept_of(
    job: config.Job, run: Run, readers: Mapping[str, Reader], targets: Mapping[str, TargetReader]
) -> tuple[str, ...]:
    """Columns and tasks whose readers and targets a training has from this run."""
    fits = compare(job, run)
    columns = [f"column '{n}'" for n, r in fits.columns.items() if alike(readers.get(n), r)]
    tasks = [f"task '{n}'" for n, t in fits.tasks.items() if names_of(targets[n]) == names_of(t)]
    return (*columns, *tasks)


def alike(reader: Reader | None, before: Reader) -> bool:
    """Whether two readers read the same; what rows of a name answered may have changed."""
    if isinstance(reader, CategoryReader) and isinstance(before, CategoryReader):
        return reader.without_answers() == before.without_answers()
    return reader == before
