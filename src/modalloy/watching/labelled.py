"""Labelled rows of a served model: which count, which are learned from and which judge."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.checks.finding import counted, some
from modalloy.deployment.log_query import Which
from modalloy.deployment.log_rows import Given, moment
from modalloy.deployment.row_log import RowLog
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import kept_together
from modalloy.judge.figures import truth_of
from modalloy.readers.targets.target import names_of
from modalloy.runs.learned_from import all_learned
from modalloy.table.fingerprints import learned_rows
from modalloy.table.open_table import open_table
from modalloy.tasks.kit import kit_of
from modalloy.watching.plan import seconds
from modalloy.watching.screen import disputed, odd_sources

if TYPE_CHECKING:
    import pandas as pd

LEARN, JUDGE = "learn", "judge"
JUDGING = 0.4  # share of labelled rows that judge
FEWEST_UNITS = 6  # groups of rows below which rows are parted one by one


class Labelled(NamedTuple):
    """Rows with a label that the answering model has not learned from.

    frame: as `RowLog.frame` gives them. source: who labelled each. unit: what each row goes with.
    said: sentences on what was left out, and how rows were parted.
    """

    frame: "pd.DataFrame"
    source: list[str]
    unit: list[str]
    said: list[str]

    def take(self, which: Sequence[int]) -> "Labelled":
        """Some of the rows."""
        return Labelled(
            self.frame.iloc[list(which)].reset_index(drop=True),
            [self.source[i] for i in which],
            [self.unit[i] for i in which],
            self.said,
        )

    @property
    def ids(self) -> list[str]:
        """Names of the rows in the log."""
        return self.frame["log.row_id" if "log.row_id" in self.frame else "row_id"].tolist()


def labelled_rows(
    log: RowLog,
    predictor: Predictor,
    plan: config.Refresh,
    upto: int | None,
    *,
    now: float | None = None,
) -> Labelled:
    """The labelled rows that count, without those of sources that contradict all others.

    upto: the number of the last label that counts. now: seconds since 1970; a row of a later time,
    whose clock was wrong, counts as of now. None for the time of the newest row.
    """
    which = Which(labelled=True, upto=upto)
    frame, said = with_readable_labels(log.frame(which), predictor, log.folder)
    logged = frame.attrs["logged"]
    given = [Given(k.row_id, k.task, k.label, k.source) for k in log.labels(upto=upto)]
    newest = {g.row: g.source for g in given}
    ids = frame[logged["row_id"]].tolist()
    keep = np.ones(len(ids), dtype=bool)

    def leave(out: np.ndarray, why: str) -> None:
        gone = keep & out
        if gone.any():
            said.append(f"{counted(int(gone.sum()), 'row')} left out: {why}")
        keep[gone] = False

    if len(frame) and now is not None:
        frame[logged["at"]] = frame[logged["at"]].clip(upper=moment(now))
    at = frame[logged["at"]]
    if len(at):
        recent = at >= at.max() - np.timedelta64(round(4 * seconds(plan.window)), "s")
        leave(~recent.to_numpy(), f"labelled rows of more than four windows ({plan.window}) ago")
    fought = disputed(given)
    leave(np.array([i in fought for i in ids], dtype=bool), "two sources label them otherwise")
    odd = odd_sources(given, log.answers(which), fought)
    for source, why in odd.items():
        leave(np.array([newest[i] == source for i in ids], dtype=bool), why)
    if len(ids):
        loader, _ = predictor.open(open_table(frame, folder=log.folder), answers=True)
        every = np.arange(len(ids))
        truths = truth_of(loader, every)
        silent = [all(truth[i] is None for truth in truths.values()) for i in every]
        leave(np.array(silent), "their labels say nothing")
        unknown, names = unknown_classes(loader, truths)
        leave(unknown, f"this model never knew {some(map(repr, names))}; train anew with such rows")
        seen = learned_rows(loader.table, predictor.run.job, every, all_learned(predictor.run))
        leave(seen, "the model has learned from them")
    unit, by = units_of(predictor.run.job, frame, ids)
    found = Labelled(frame, [newest[i] for i in ids], unit, [*said, by])
    return found.take(np.flatnonzero(keep).tolist())


def with_readable_labels(
    frame: "pd.DataFrame", predictor: Predictor, folder: Path
) -> tuple["pd.DataFrame", list[str]]:
    """Logged rows without those whose label is nothing that its task can be taught, and a sentence
    on these: one such label would stop every refresh otherwise."""

    def fault(rows: "pd.DataFrame") -> str:
        try:
            loader, _ = predictor.open(open_table(rows, folder=folder), answers=True)
            truth_of(loader, np.arange(len(rows)))
        except TableError as error:
            return str(error).rstrip(".")
        return ""

    if not len(frame) or not fault(frame):
        return frame, []
    faults = [fault(frame.iloc[[i]].reset_index(drop=True)) for i in range(len(frame))]
    bad = [why for why in faults if why]
    kept = frame.iloc[[i for i, why in enumerate(faults) if not why]].reset_index(drop=True)
    kept.attrs = frame.attrs
    return kept, [f"{counted(len(bad), 'row')} left out: {bad[0]}"] if bad else []


def unknown_classes(
    loader: Any, truths: Mapping[str, Sequence[Any]]
) -> tuple[np.ndarray, list[str]]:
    """Rows whose right answer is a class that the model has no place for, and those classes."""
    out, found = np.zeros(len(next(iter(truths.values()))), dtype=bool), {}
    for task, truth in truths.items():
        target, names = loader.targets[task], names_of(loader.targets[task])
        if names is None or not kit_of(loader.job.tasks[task]).whole_row:
            continue
        for row, answer in enumerate(truth):
            new = set() if answer is None else target.classes(answer) - {*names}
            out[row] |= bool(new)
            found |= dict.fromkeys(sorted(new))
    return out, list(found)


def units_of(job: config.Job, frame: "pd.DataFrame", ids: Sequence[str]) -> tuple[list[str], str]:
    """What each row is kept together with, and in a sentence by what."""
    column = next(iter(kept_together(job)), None)
    if column is not None and column in frame:
        cells = [f"{column}={cell}" for cell in frame[column]]
        if len(set(cells)) >= FEWEST_UNITS:
            return cells, f"rows of one '{column}' stay together"
        return [*ids], f"rows were parted one by one, since they have few '{column}'"
    return [*ids], "rows were parted one by one"


def part(rows: Labelled, known: Mapping[str, str]) -> dict[str, str]:
    """Which units are new, and on which side: they go where rows lack most, in an order that chance
    decides by their names alone. known: units of earlier refreshes, which stay where they were.
    """
    sizes = Counter(rows.unit)
    held: dict[str, int] = defaultdict(int)
    for unit, size in sizes.items():
        held[known.get(unit, "")] += size
    found = {}
    for unit in sorted(sizes.keys() - known.keys(), key=hashed):
        lacks = held[JUDGE] * (1 - JUDGING) <= held[LEARN] * JUDGING
        found[unit] = JUDGE if lacks else LEARN
        held[found[unit]] += sizes[unit]
    return found


def hashed(unit: str) -> str:
    """A unit's place in an order of chance that never changes."""
    return hashlib.sha256(unit.encode()).hexdigest()
