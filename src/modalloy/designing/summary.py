"""What a search for designs found, put together from its records: one point for each run."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from modalloy.designing.records import Record, Records
from modalloy.errors import DesignError
from modalloy.judge.wording import is_number
from modalloy.twin.journal import Recorded
from modalloy.twin.twin import Twin

Part = Literal["planned", "infill", "final"]


class Sought(NamedTuple):
    """An output or variable to make small or large."""

    output: str
    minimise: bool
    unit: str | None

    @property
    def sign(self) -> float:
        """What it is multiplied by to be minimised."""
        return 1.0 if self.minimise else -1.0


class Bound(NamedTuple):
    """What an output or variable must keep: low <= it <= high, infinite where nothing is asked."""

    output: str
    low: float
    high: float
    unit: str | None
    text: str

    def outside(self, value: float) -> float:
        """How far a value is beyond its bound, 0 where it keeps it, infinite where it is none."""
        if not math.isfinite(value):
            return math.inf
        return max(0.0, self.low - value, value - self.high)

    def room(self, value: float) -> float:
        """How far a value is from the nearer end; negative beyond it."""
        return min(self.high - value, value - self.low)


class Point(NamedTuple):
    """One design. outputs: none where its run failed or has not been. foretold: low, middle and
    high of outputs before the run. media: paths of files, from the search's folder. kept: whether
    its run keeps every constraint.
    """

    run: int | None
    part: Part
    values: Mapping[str, Any]
    outputs: Mapping[str, Any]
    kept: bool
    status: str = "ok"
    reason: str = ""
    foretold: Mapping[str, Sequence[float]] = {}
    media: Mapping[str, str] = {}
    certified: bool = True
    extrapolates: bool = False

    def number(self, name: str) -> float:
        """An output or a variable as a number; NaN where it has none."""
        found = self.outputs.get(name, self.values.get(name))
        return float(found) if is_number(found) else math.nan


@dataclass(frozen=True)
class Summary:
    """planned: as far as their runs are at hand. best_planned: by the first objective, of those
    that keep everything; without an objective the first that does. plan_kept: how many of the plan
    keep everything, None before that is known. tried: proposals that were run, in order. proposed:
    the designs proposed in the end, run or not. accepted: the best of all runs that keep
    everything. end: facts of `accept`; empty while the search goes on. units: of variables and of
    all that is asked about. margin: facts of the last `calibrate`; empty before there is one.
    shown: share of new values that foretold intervals hold; None before anything was learned.
    passed: rows of experiments that lack something, and so were passed over.
    """

    plan: Mapping[str, Any]
    objectives: tuple[Sought, ...]
    constraints: tuple[Bound, ...]
    planned: tuple[Point, ...]
    whole_plan: bool
    best_planned: Point | None
    plan_kept: int | None
    tried: tuple[Point, ...]
    proposed: tuple[Point, ...]
    accepted: tuple[Point, ...]
    end: Mapping[str, Any]
    units: Mapping[str, str | None]
    margin: Mapping[str, Any] = field(default_factory=dict)
    shown: float | None = None
    passed: int = 0

    @property
    def untried(self) -> bool:
        """Whether rows were given in place of runs, and proposals are for people to try."""
        return bool(self.plan.get("untried", False))

    @property
    def runs(self) -> tuple[Point, ...]:
        """Every design that is known to have been run, in order."""
        return (*self.planned, *self.tried)

    @property
    def figures(self) -> dict[str, str | None]:
        """Outputs and variables that something is asked of, with their units; objectives first."""
        return {one.output: one.unit for one in (*self.objectives, *self.constraints)}

    @property
    def best(self) -> Point | None:
        """The best accepted design; where none is, the best that keeps everything of all runs."""
        return self.best_of(self.accepted or [p for p in self.runs if p.kept])

    def best_of(self, points: Iterable[Point]) -> Point | None:
        """With one objective its best. With several the one nearest to the best of each, all of
        them scaled by what these designs span; with none the one with most room to its bounds.
        """
        told = [p for p in points if p.outputs]
        if not self.objectives:
            return max(told, key=self.tightest, default=None)
        told = [p for p in told if all(math.isfinite(p.number(o.output)) for o in self.objectives)]
        if not told:
            return None
        cost_NO = np.array([[o.sign * p.number(o.output) for o in self.objectives] for p in told])
        span_O = np.maximum(np.ptp(cost_NO, axis=0), 1e-300)
        far_N = (((cost_NO - cost_NO.min(0)) / span_O) ** 2).sum(1)
        return told[int(np.argmin(far_N))]

    def nearest(self) -> Point | None:
        """The design that was run and comes nearest to keeping everything."""
        told = [p for p in self.runs if p.outputs]
        short = [self.short_of(p) for p in told]
        return told[int(np.argmin(short))] if told and math.isfinite(min(short)) else None

    def short_of(self, point: Point) -> float:
        """How much is missing to keep everything, each bound by its own scale."""
        return sum(b.outside(point.number(b.output)) / self.scale(b) for b in self.constraints)

    def tightest(self, point: Point) -> float:
        """The least room to a bound, each by its own scale."""
        room = [b.room(point.number(b.output)) / self.scale(b) for b in self.constraints]
        return min((r for r in room if math.isfinite(r)), default=-math.inf)

    def scale(self, bound: Bound) -> float:
        """What counts as far from a bound: the width of a window, else the size of its one end; of
        an end at zero, the deviation of what proposals told.
        """
        if math.isfinite(bound.low) and math.isfinite(bound.high):
            return bound.high - bound.low or 1.0
        if end := abs(bound.high if math.isfinite(bound.high) else bound.low):
            return end
        known = [v for p in self.tried if math.isfinite(v := p.number(bound.output))]
        return float(np.std(known)) or 1.0 if len(known) > 1 else 1.0


def summary_of(
    records: Records, runs: Mapping[int, Recorded] | None = None, twin: Twin | None = None
) -> Summary:
    """Put the records of a search together.

    runs: what every run was and told, by its number; without them the best alone is known of the
    plan. twin: tells the units of variables that follow from others. DesignError where there is
    no record yet.
    """
    first = records.last("plan")
    if first is None:
        raise DesignError(f"{records.folder}: holds no record of a search; begin one first.")
    plan, last = first.facts, records.last("accept")
    bounds = tuple(
        Bound(
            c["output"],
            -math.inf if c["low"] is None else c["low"],
            math.inf if c["high"] is None else c["high"],
            c["unit"],
            c["text"],
        )
        for c in plan["constraints"]
    )
    sought = [
        Sought(o["output"], o["direction"] == "minimise", o["unit"]) for o in plan["objectives"]
    ]
    end = last.facts if last else {}
    names = tuple(twin.variables if twin else plan["variables"])
    planned = list(planned_of(records, runs or {}, bounds, names))
    tried = tried_of(records, runs or {})
    whole = bool(planned)
    ingested = records.last("ingest")
    best = ingested.facts["best"] if ingested else None
    top = Point(best["run"], "planned", best["values"], best["outputs"], True) if best else None
    if not whole and top:
        planned = [top]
    trained, calibrated = records.last("train"), records.last("calibrate")
    finals = [p for p in proposals(records) if p.part == "final"]
    ran = [p for p in tried if p.part == "final"]
    return Summary(
        plan,
        tuple(sought),
        bounds,
        tuple(planned),
        whole,
        top,
        ingested.facts["feasible"] if ingested else None,
        tuple(tried),
        tuple(ran or finals),
        tuple(accepted_of(end, [*planned, *tried])),
        end,
        units_of(plan, twin),
        calibrated.facts if calibrated else {},
        trained.facts["shown"] if trained else None,
        ingested.facts["passed"] if ingested else 0,
    )


def planned_of(
    records: Records,
    runs: Mapping[int, Recorded],
    bounds: Sequence[Bound],
    variables: Iterable[str],
) -> Iterator[Point]:
    """The designs of the plan whose runs are at hand, with the values of some variables."""
    for record in records.of("simulate"):
        low, high = record.facts["runs"]
        for run in range(low, high + 1):
            if run in runs:
                ran, values = runs[run]
                values = {name: values[name] for name in variables if name in values}
                outputs = ran.outputs if ran.status == "ok" else {}
                point = Point(run, "planned", values, outputs, False, ran.status, ran.reason)
                kept = bool(outputs) and not any(b.outside(point.number(b.output)) for b in bounds)
                yield point._replace(kept=kept)


def tried_of(records: Records, runs: Mapping[int, Recorded]) -> list[Point]:
    """Every proposal that was run, with what came of it."""
    found: list[Point] = []
    before: Record | None = None
    for record in records.all:
        if record.state == "propose":
            before = record
        elif record.state == "verify":
            assert before is not None
            told, first = record.facts, record.facts["runs"][0]
            ends = zip(told["outputs"], told["status"], told["feasible"], strict=True)
            for run, (point, end) in enumerate(
                zip(proposals_of(before), ends, strict=True), start=first
            ):
                outputs, status, kept = end
                reason = runs[run].outcome.reason if run in runs else ""
                told_now = {"outputs": outputs or {}, "status": status, "kept": kept}
                found.append(point._replace(run=run, reason=reason, **told_now))
    return found


def proposals(records: Records) -> Iterator[Point]:
    """Every design that was proposed."""
    for record in records.of("propose"):
        yield from proposals_of(record)


def proposals_of(record: Record) -> list[Point]:
    """The designs of one round, none of them run."""
    told = record.facts
    part: Part = "final" if told["final"] else "infill"
    each = zip(
        told["designs"], told["predicted"], told["certified"], told["extrapolates"], strict=True
    )
    return [
        Point(None, part, values, {}, False, "", "", foretold, {}, certified, extrapolates)
        for values, foretold, certified, extrapolates in each
    ]


def accepted_of(end: Mapping[str, Any], ran: Sequence[Point]) -> Iterator[Point]:
    """The designs that are handed over, with what is known of their run."""
    known = {p.run: p for p in ran}
    for one in end.get("accepted", ()):
        bare = Point(one["run"], "planned", {}, {}, True)
        yield known.get(one["run"], bare)._replace(
            values=one["values"], outputs=one["outputs"], media=one["media"], kept=True
        )


def units_of(plan: Mapping[str, Any], twin: Twin | None) -> dict[str, str | None]:
    """Units of variables, and of outputs that something is asked of."""
    variables = twin.variables if twin else {}
    asked = (*plan["objectives"], *plan["constraints"])
    return {
        **{name: getattr(variable, "unit", None) for name, variable in variables.items()},
        **{name: told["unit"] for name, told in plan["variables"].items()},
        **{one["output"]: one["unit"] for one in asked},
    }
