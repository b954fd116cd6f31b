"""Figures of a run before and after a verb has changed it, on the same rows: one table of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modalloy.answer.answers import Answer
from modalloy.job import config
from modalloy.judge.metrics.bootstrap import paired_intervals
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.metrics.tally import Tally
from modalloy.judge.slices import Groups
from modalloy.judge.wording import fixed, label, say, say_gain, say_interval


class Pair(NamedTuple):
    """One figure before and after. interval: of after minus before, rows or groups drawn anew; None
    where too few are known."""

    before: float | None
    after: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Compared:
    """What a verb has changed. rows: on which figures were taken, and in words which rows those
    are. tasks: task -> metric -> both figures. units: of a task's numbers. costs: what is no figure
    of a task, such as milliseconds a row or kilobytes, by its name with its unit. said: sentences.
    """

    verb: str
    rows: int
    which: str
    tasks: Mapping[str, Mapping[str, Pair]]
    units: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, Pair] = field(default_factory=dict)
    said: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The form that a run's notes keep."""
        return {
            "verb": self.verb,
            "rows": self.rows,
            "which": self.which,
            "tasks": {t: {m: list(p) for m, p in found.items()} for t, found in self.tasks.items()},
            "units": dict(self.units),
            "costs": {name: list(pair) for name, pair in self.costs.items()},
            "said": list(self.said),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Compared":
        """What `as_dict` wrote."""
        return cls(
            fields["verb"],
            fields["rows"],
            fields["which"],
            {t: {m: Pair(*p) for m, p in f.items()} for t, f in fields["tasks"].items()},
            fields["units"],
            {name: Pair(*pair) for name, pair in fields["costs"].items()},
            tuple(fields["said"]),
        )

    def lines(self) -> list[tuple[str, str, str, str, str]]:
        """Task, figure, before, after and change with its interval, in words."""
        found = []
        for task, figures in self.tasks.items():
            unit = self.units.get(task, "")
            for metric, pair in figures.items():
                old, new = say(metric, pair.before, unit), say(metric, pair.after, unit)
                found.append((task, label(metric), old, new, say_change(metric, pair, unit)))
        for name, (before, after, _) in self.costs.items():
            found.append(("", name, said_cost(before), said_cost(after), ratio(before, after)))
        return found

    def text(self) -> str:
        """The table for a terminal, and the sentences under it."""
        rows = [("task", "figure", "before", "after", "change"), *self.lines()]
        wide = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 2 or i == 4 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, wide, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, f"on {self.rows} {self.which}", *self.said])


def compare(
    options: config.TaskOptions,
    truth: Sequence[Any],
    before: Answer,
    after: Answer,
    names: Sequence[str] | None,
    *,
    groups: Groups | None = None,
    metrics: Sequence[str] | None = None,
) -> dict[str, Pair]:
    """Figures of one task by two models' answers to the same rows, with paired intervals.

    truth, names: as `judge.metrics.score` has them. metrics: which figures; the one that the task's
    training is judged by for None. Figures that are undefined on these rows are left out.
    """
    old, new = (tally(options, truth, answer, names) for answer in (before, after))
    wanted = [primary(options)[0]] if metrics is None else metrics
    found = compare_tallies(old, new, labels=groups.labels if groups else None)
    return {m: found[m] for m in wanted if m in found}


def compare_tallies(
    old: Tally, new: Tally, *, labels: Sequence[str] | None = None
) -> dict[str, Pair]:
    """Every figure that is defined for two answers to the same rows, with paired intervals.

    labels: one for each row where rows come in groups. Both tallies must be of the same rows.
    """
    was, now = old.score(), new.score()
    ends = paired_intervals(new, old, groups=labels)
    return {m: Pair(was[m], now[m], ends.get(m)) for m in was if m in now}


def say_change(metric: str, pair: Pair, unit: str) -> str:
    """`+2.1 points (+0.4 to +3.9)`; empty where a figure is absent."""
    if pair.before is None or pair.after is None:
        return ""
    said = say_gain(metric, pair.after - pair.before, unit)
    if pair.interval is None:
        return said
    return f"{said} ({say_interval({'interval': {metric: pair.interval}}, metric, unit)})"


def said_cost(value: float | None) -> str:
    """A cost in words."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def ratio(before: float | None, after: float | None) -> str:
    """How many times as much it is; of little the part, since 0.01 times says hardly anything."""
    if not before or after is None:
        return ""
    times = after / before
    return f"1/{fixed(1 / times, 0)} of it" if 0.0 < times < 0.1 else f"{times:.2f} times"
