"""Reports of a case in, its lines of defaults.json out: ours, the hand-set job's, the best simple
method of the reports, and whether each is good enough."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.defaults.case import Anchor, Case
from bench.defaults.training import Trained
from bench.figure import Figure
from bench.written import mean

ONE_POINT = 0.03  # of an error: 3 % of it stand for one point of a share
NEAR = {"shared": 1.0, "series": 2.0}  # points that a line may be behind its anchor
NEVER_BELOW = 0.5  # points that a line may be behind the best simple method of its report
CALIBRATED = 0.15  # calibration error where the split holds something out
LONGEST_S, SMALL_ROWS, SMALL_S = 600, 500, 180


class Best(NamedTuple):
    """The best simple method of some reports, and by how many points the model is ahead of it."""

    name: str
    value: float
    ahead: float


def lines_of(case: Case, trained: Sequence[Trained], command: str) -> list[dict[str, Any]]:
    """A line a figure; the figures of folds and seeds are averaged, the longest training counts."""
    return [line(case, figure, trained, command) for figure in case.figures]


def line(case: Case, figure: Figure, trained: Sequence[Trained], command: str) -> dict[str, Any]:
    """One entry of defaults.json."""
    reports = [one.report for one in trained]
    value = mean([figure.value(r) for r in reports])
    intervals = [figure.interval(r) for r in reports]
    anchor = comparable(case.anchors.get(figure.key), figure, reports)
    best = best_method(figure, reports)
    errors = [e for r in reports for e in calibration_errors(figure, r)]
    found = {
        "case": case.name,
        "kind": case.kind,
        "task": figure.task,
        "metric": figure.metric,
        "value": round(value, 4),
        "interval": [round(mean([i[k] for i in intervals]), 4) for k in (0, 1)],
        "anchor": None if anchor is None else round(anchor.value, 4),
        "anchor_of": None if anchor is None else anchor.whose,
        "to_anchor": None
        if anchor is None
        else round(points(value, anchor.value, lower=figure.lower_is_better), 2),
        "best_method": None if best is None else best.name,
        "best_value": None if best is None else round(best.value, 4),
        "to_best": None if best is None else round(best.ahead, 2),
        "perfect": not figure.lower_is_better and value >= 1.0,
        "holds_out": case.holds_out,
        "calibration_error": round(mean(errors), 4) if errors else None,
        "rows": sum(reports[0]["rows"].values()),
        "seconds": round(max(one.seconds for one in trained), 1),
        "cpu_seconds": round(max(one.cpu_seconds for one in trained), 1),
        "init_seconds": round(max(one.init_seconds for one in trained), 1),
        "said_seconds": round(max(one.said_seconds for one in trained), 1),
        "peak_gb": round(max(one.peak_gb for one in trained), 2),
        "trainings": len(trained),
        "edits": sorted({edit for one in trained for edit in one.edits}),
        "command": command,
    }
    return found | {"goal": goal(found), "reached": reached(found)}


def failed_lines(case: Case, why: str, command: str) -> list[dict[str, Any]]:
    """The lines of a case that could not be trained: they reach nothing."""
    return [
        {
            "case": case.name,
            "kind": case.kind,
            "task": figure.task,
            "metric": figure.metric,
            "value": None,
            "failed": why,
            "holds_out": case.holds_out,
            "command": command,
            "goal": "a run",
            "reached": False,
        }
        for figure in case.figures
    ]


def points(value: float, other: float, *, lower: bool) -> float:
    """How far a figure is ahead of another: points of a share, 3 % of an error counting as one."""
    if lower:
        return (other - value) / max(abs(other), 1e-12) / ONE_POINT
    return 100 * (value - other)


def comparable(
    anchor: Anchor | None, figure: Figure, reports: Sequence[Mapping[str, Any]]
) -> Anchor | None:
    """The anchor, or None where its target was learned on another scale than the reports'."""
    if anchor is None or anchor.scale is None or figure.median:
        return anchor
    scales = {r["about"][figure.task].get("scale") for r in reports}
    return anchor if scales == {anchor.scale} else None


def best_method(figure: Figure, reports: Sequence[Mapping[str, Any]]) -> Best | None:
    """Of the simple methods that all reports have, the one that the model is least ahead of.

    By the paired margins where the reports hold them for this metric, because simple methods may be
    judged on fewer test rows than the model; by the figures otherwise.
    """
    found = []
    mine = mean([figure.value(r) for r in reports])
    for name in methods(figure, reports):
        theirs = [as_report(r, name) for r in reports]
        values = [figure.value(t) for t in theirs]
        gains = [margin(figure, t) for t in theirs]
        value = other = mean(values)
        known = [g for g in gains if g is not None]
        if len(known) == len(gains):
            other = mine + mean(known) if figure.lower_is_better else mine - mean(known)
        found.append(Best(name, value, points(mine, other, lower=figure.lower_is_better)))
    return min(found, key=lambda best: best.ahead, default=None)


def methods(figure: Figure, reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the simple methods that have the figure in every task and report."""
    lists = [
        {n for n, f in lines.items() if f.get(figure.metric) is not None}
        for report in reports
        for task, lines in report["baselines"].items()
        if figure.median or task == figure.task
    ]
    common = set.intersection(*lists) if lists else set()
    return sorted(name for name in common if not name.startswith("published"))


def as_report(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A report in which a simple method has the place of the model."""
    tasks = {t: lines[name] for t, lines in report["baselines"].items() if name in lines}
    return {"tasks": tasks}


def margin(figure: Figure, theirs: Mapping[str, Any]) -> float | None:
    """How far the model is ahead of a simple method on the same rows, where that was measured."""
    if figure.median:
        return None
    found = theirs["tasks"][figure.task].get("margin") or {}
    return found.get("gain") if found.get("metric") == figure.metric else None


def calibration_errors(figure: Figure, report: Mapping[str, Any]) -> list[float]:
    """The calibration error of a task that has one."""
    error = report["tasks"].get(figure.task, {}).get("ece")
    return [] if error is None else [error]


def seconds_allowed(found: Mapping[str, Any]) -> int:
    """How long a training may take; less for few rows."""
    return SMALL_S if found["rows"] < SMALL_ROWS else LONGEST_S


def goal(found: Mapping[str, Any]) -> str:
    """What a line must reach, in words."""
    asked = []
    if found["to_anchor"] is not None:
        asked.append(f"at most {NEAR[found['kind']]:g} behind {found['anchor_of']}")
    if found["to_best"] is not None:
        asked.append(f"at most {NEVER_BELOW} behind its best simple method")
    if found["holds_out"] and found["calibration_error"] is not None:
        asked.append(f"calibration error <= {CALIBRATED}")
    return "; ".join([*asked, f"{seconds_allowed(found)} s"])


def reached(found: Mapping[str, Any]) -> bool:
    """Whether a line reaches all of that."""
    near = found["to_anchor"] is None or found["to_anchor"] >= -NEAR[found["kind"]]
    above = found["to_best"] is None or found["to_best"] >= -NEVER_BELOW
    error = found["calibration_error"]
    sure = not found["holds_out"] or error is None or error <= CALIBRATED
    return near and above and sure and found["seconds"] <= seconds_allowed(found)
