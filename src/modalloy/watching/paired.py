"""Whether a new model may answer in place of an old one: both answer the same labelled rows, from
which neither has learned."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.adaptation.figures import of_one
from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.row_groups import names_at
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import kept_together
from modalloy.judge.figures import truth_of
from modalloy.judge.metrics.bootstrap import paired_intervals
from modalloy.judge.metrics.score import tally
from modalloy.readers.targets.target import names_of
from modalloy.runs.learned_from import all_learned
from modalloy.table.fingerprints import learned_rows
from modalloy.table.table import Table

FEWEST = 20  # rows of a group below which nothing is said of it
LABELLED_BY = "labelled by"


class Change(NamedTuple):
    """One task's figure by both models on some rows, in points (hundredths; more is better).

    low, high: interval of after minus before, 95 %; None where too few rows are known.
    """

    rows: int
    before: float
    after: float
    low: float | None
    high: float | None

    @property
    def gain(self) -> float:
        """Points that the new model is better."""
        return self.after - self.before

    def __str__(self) -> str:
        ends = "" if self.low is None else f" ({self.low:+.1f} to {self.high:+.1f})"
        return f"{self.gain:+.1f} points{ends} on {self.rows} rows"


class Verdict(NamedTuple):
    """Whether the new model may answer, and why or why not in a sentence.

    rows: that judged. tasks: of all of them, by task. groups: `COLUMN=value` -> task -> change.
    unjudged: how many groups had too few rows to be looked at.
    """

    passed: bool
    why: str
    rows: int
    tasks: Mapping[str, Change]
    groups: Mapping[str, Mapping[str, Change]]
    unjudged: int

    def as_dict(self) -> dict[str, Any]:
        """As a record holds it."""
        groups = {g: {t: c._asdict() for t, c in own.items()} for g, own in self.groups.items()}
        tasks = {t: c._asdict() for t, c in self.tasks.items()}
        return {**self._asdict(), "tasks": tasks, "groups": groups}


def paired_test(
    before: Predictor,
    after: Predictor,
    table: Table,
    source: Sequence[str],
    unit: Sequence[str],
    plan: config.Refresh,
    *,
    anchored: bool,
) -> Verdict:
    """Let both models answer labelled rows, and say whether the new one may take over.

    It may where some task gains at least `plan.effect` points and the interval of its gain is above
    zero, no task and no group loses, and the gain is there without the source that labelled most.
    A source that `plan.trust` names may decide alone.

    source, unit: who labelled each row, and what it goes with. anchored: rows that no source of the
    log has labelled (the run's own test rows) have judged as well; else nobody decides alone.
    """
    which = unlearned(table, (before, after))
    both, truths = answers_of(before, after, table, which)
    sources, units = [source[i] for i in which], [unit[i] for i in which]
    loader = both[0][0]

    def change(some: Sequence[int]) -> dict[str, Change]:
        return changes(loader, truths, (both[0][1], both[1][1]), some, units)

    whole = change(range(len(which)))
    columns = groups_of(before.run.job, loader, which) | {LABELLED_BY: sources}
    groups, unjudged = grouped(columns, change)
    given = (len(which), whole, groups, unjudged)
    if no := refuse(whole, groups, plan) or one_source(sources, change, plan, anchored=anchored):
        return Verdict(False, no, *given)
    told = "; ".join(f"{task}: {c}" for task, c in whole.items())
    alone = f"; all labels are of '{sources[0]}'" if len(set(sources)) == 1 else ""
    return Verdict(True, f"{told}; none of {len(groups)} groups is harmed{alone}", *given)


def unlearned(table: Table, predictors: Sequence[Predictor]) -> np.ndarray:
    """Rows of a table that none of the models has learned from; TableError where there is none."""
    every = np.arange(table.rows)
    seen = np.zeros(table.rows, dtype=bool)
    for predictor in predictors:
        seen |= learned_rows(table, predictor.run.job, every, all_learned(predictor.run))
    if seen.all():
        raise TableError(f"{table.source}: the models have learned from every one of these rows.")
    return np.flatnonzero(~seen)


def answers_of(
    before: Predictor, after: Predictor, table: Table, which: np.ndarray
) -> tuple[list[tuple[Loader, Answers]], dict[str, list[Any]]]:
    """What both say of some rows of a table, and the right answers."""
    found = []
    for predictor in (before, after):
        loader, _ = predictor.open(table, answers=True)
        found.append((loader, predictor.say(loader, which).answers))
    return found, truth_of(found[0][0], which)


def changes(
    loader: Loader,
    truths: Mapping[str, Sequence[Any]],
    answers: tuple[Answers, Answers],
    some: Sequence[int],
    units: Sequence[str],
) -> dict[str, Change]:
    """Each task's figure by both on some of the rows; tasks without a figure are left out."""
    found, at = {}, list(some)
    for task, options in loader.job.tasks.items():
        truth, metric = [truths[task][i] for i in at], of_one(options)
        names = names_of(loader.targets[task])
        old, new = (
            tally(options, truth, {k: x[at] for k, x in a[task].items()}, names) for a in answers
        )
        was, now = old.score().get(metric, np.nan), new.score().get(metric, np.nan)
        if not (np.isfinite(was) and np.isfinite(now)):
            continue
        ends = paired_intervals(new, old, groups=[units[i] for i in at]).get(metric)
        low, high = (None, None) if ends is None else (100.0 * ends[0], 100.0 * ends[1])
        found[task] = Change(len(old.rows), 100.0 * was, 100.0 * now, low, high)
    return found


def groups_of(job: config.Job, loader: Loader, which: np.ndarray) -> dict[str, list[str]]:
    """Columns by whose values rows are looked at in groups: categories, and what keeps together."""
    named = [n for n, o in job.columns.items() if o.type in ("category", "group")]
    columns = dict.fromkeys([*named, *kept_together(job)])
    return {c: names_at(loader, c, which) for c in columns if c in loader.table.columns}


def grouped(
    columns: Mapping[str, Sequence[str]], change: Callable[[Sequence[int]], dict[str, Change]]
) -> tuple[dict[str, dict[str, Change]], int]:
    """The change in every group that has rows enough, and how many have not."""
    found, small = {}, 0
    for column, values in columns.items():
        for value, size in sorted(Counter(values).items()):
            if size < FEWEST:
                small += 1
                continue
            found[f"{column}={value}"] = change([i for i, v in enumerate(values) if v == value])
    return found, small


def refuse(
    whole: Mapping[str, Change],
    groups: Mapping[str, Mapping[str, Change]],
    plan: config.Refresh,
) -> str:
    """Why the new model may not answer; empty where it may."""
    if not whole:
        return "the labelled rows give no task a figure"
    for task, c in whole.items():
        if harmed(c, plan):
            return f"{task} is answered worse: {c}"
    for group, own in groups.items():
        for task, c in own.items():
            if harmed(c, plan):
                return f"{task} is answered worse where {group}: {c}"
    gained = [c for c in whole.values() if c.gain >= plan.effect and (c.low or 0.0) > 0.0]
    if not gained:
        best = max(whole, key=lambda task: whole[task].gain)
        return (
            f"no task is answered better by at least {plan.effect:g} points with an interval above "
            f"zero; {best}: {whole[best]}"
        )
    return ""


def harmed(change: Change, plan: config.Refresh) -> bool:
    """Whether rows are answered worse: by more than is allowed, or beyond chance."""
    beyond = change.high is not None and change.high < 0.0
    return change.gain < -plan.harm or beyond


def one_source(
    sources: Sequence[str],
    change: Callable[[Sequence[int]], dict[str, Change]],
    plan: config.Refresh,
    *,
    anchored: bool,
) -> str:
    """Why the labels of one source would decide alone; empty where they do not."""
    most, size = Counter(sources).most_common(1)[0]
    rest = [i for i, s in enumerate(sources) if s != most]
    if most in plan.trust and anchored:
        return ""
    if len(rest) < FEWEST:
        own = ", and no old test rows vouch for it" if most in plan.trust else ""
        return (
            f"'{most}' labelled {size} of the {len(sources)} rows that judge{own}; at least "
            f"{FEWEST} must be labelled by others"
        )
    others = change(rest)
    if not any(c.gain >= plan.effect for c in others.values()):
        told = "; ".join(f"{task}: {c}" for task, c in others.items())
        return f"only labels of '{most}' say that it is better; without them, {told}"
    return ""
