"""What `compare` found: figures of several runs on the same rows, and differences of each two."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

from modalloy.judge.compared import Pair
from modalloy.judge.report import plain
from modalloy.judge.wording import better, bounds, figures_of, label, say, say_gain, say_interval
from modalloy.report.page import say_time

FEW = 20  # intervals of which one is expected to leave zero out by chance


class Side(NamedTuple):
    """One of the runs. columns: that it reads. training_s: seconds that its training took, None
    where it does not say. bytes: of its parts, or of the bundle. made_by: the verb.
    """

    name: str
    columns: Sequence[str]
    training_s: float | None
    bytes: int
    made_by: str = "train"


class Difference(NamedTuple):
    """The figures of one task by two runs: `pairs` holds the first run's, the second's, and the
    interval of the second minus the first."""

    first: str
    second: str
    pairs: Mapping[str, Pair]


@dataclass(frozen=True)
class Task:
    """One task by every run. figures: run -> Figures with their intervals. rows: with a truth."""

    primary: str
    unit: str
    rows: int
    figures: Mapping[str, Mapping[str, Any]]
    differences: Sequence[Difference]


@dataclass(frozen=True)
class ComparedRuns:
    """Runs on the same rows. which: in words, which rows. drawn: what intervals draw anew. said:
    what is to be known before the figures are believed, a sentence each.
    """

    sides: Sequence[Side]
    rows: int
    which: str
    drawn: str
    tasks: Mapping[str, Task]
    said: Sequence[str] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """What the JSON file beside the page holds."""
        found = plain(asdict(self))
        found["sides"] = [plain(side._asdict()) for side in self.sides]
        for name, task in self.tasks.items():
            found["tasks"][name]["differences"] = [
                {
                    "first": d.first,
                    "second": d.second,
                    "pairs": {m: plain(p._asdict()) for m, p in d.pairs.items()},
                }
                for d in task.differences
            ]
        return found

    def text(self) -> str:
        """For a terminal: what to know, every figure by every run, the main one's differences."""
        lines = [*self.said, "", f"On {self.rows:,} {self.which}; {self.drawn}."]
        lines += aligned([("run", "trained", "MB", "columns"), *map(side_line, self.sides)])
        for name, task in self.tasks.items():
            head = (name, *(side.name for side in self.sides))
            lines += ["", *aligned([head, *self.figure_lines(name)])]
            said = [say_difference(d, task.primary, task.unit) for d in task.differences]
            lines += [f"  {one}" for one in said]
        lines += ["", *([self.chance()] if self.intervals() > 1 else [])]
        return "\n".join(lines).strip()

    def figure_lines(self, name: str) -> Iterator[tuple[str, ...]]:
        """Each figure of a task with its interval, by every run."""
        task = self.tasks[name]
        metrics = dict.fromkeys(m for f in task.figures.values() for m in figures_of(f))
        for metric in metrics:
            cells = []
            for side in self.sides:
                own = task.figures[side.name]
                ends = say_interval(own, metric, task.unit)
                cells.append(say(metric, own.get(metric), task.unit) + (f" ({ends})" * bool(ends)))
            yield label(metric), *cells

    def intervals(self) -> int:
        """How many intervals of differences there are."""
        every = (d.pairs.values() for t in self.tasks.values() for d in t.differences)
        return sum(pair.interval is not None for pairs in every for pair in pairs)

    def chance(self) -> str:
        """What to think of many intervals."""
        count = self.intervals()
        return (
            f"There are {count} intervals of differences, each of 95 %: about one of {FEW} leaves "
            "zero out where nothing differs."
        )


def side_line(side: Side) -> tuple[str, ...]:
    """Training, size and columns of a run."""
    took = "–" if side.training_s is None else say_time(side.training_s)
    return side.name, took, f"{side.bytes / 1e6:.2f}", ", ".join(side.columns)


def say_difference(found: Difference, metric: str, unit: str) -> str:
    """`b minus a: Accuracy +2.1 points (+0.4 to +3.9 points); b is better`."""
    pair = found.pairs.get(metric)
    both = f"{found.second} minus {found.first}: {label(metric)}"
    if pair is None or pair.before is None or pair.after is None:
        return f"{both} is not defined for both"
    said = f"{both} {say_gain(metric, pair.after - pair.before, unit)}"
    return f"{said} ({say_ends(metric, pair, unit)}); {verdict(found, metric)}"


def say_ends(metric: str, pair: Pair, unit: str) -> str:
    """Both ends of a difference, signed."""
    ends = bounds({"interval": {metric: pair.interval}}, metric)
    if ends is None:
        return "no interval: fewer than two rows or groups"
    return " to ".join(say_gain(metric, end, unit) for end in ends)


def verdict(found: Difference, metric: str) -> str:
    """Which of two runs is better by a figure, if the interval of their difference says so."""
    ends, sign = found.pairs[metric].interval, better(metric)
    if ends is None or ends[0] <= 0.0 <= ends[1]:
        return "no difference is shown"
    if not sign:
        return "they differ"
    return f"{found.second if sign * ends[0] > 0.0 else found.first} is better"


def pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each two of the runs, in their order."""
    return list(combinations(names, 2))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table for a terminal."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ((c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in rows)
    return ["  ".join(cells).rstrip() for cells in padded]
