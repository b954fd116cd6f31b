"""How good a run is: figures by group, under attack, and whether it knows how sure it may be."""

from collections.abc import Iterator
from typing import Any

from modalloy.auditing.chapter import Chapter, Gap, Known, Lines
from modalloy.errors import RunError
from modalloy.judge.compared import Compared
from modalloy.judge.report import Report
from modalloy.judge.wording import bounds, figures_of, label, say, say_interval, say_realised
from modalloy.report.caveats import few_groups
from modalloy.report.taskpage import say_drawn
from modalloy.runs.run import Run, load_run
from modalloy.runs.seal import read_seal

EVALUATE = "modalloy evaluate RUN"
HARDENED = "hardened"  # of a run's notes
SEAL = "run.json"


def figures_by_group(known: Known) -> Chapter:
    """Every figure of every task with its interval, and of each group and category."""
    found = Chapter("figures", "Figures by group")
    report = known.report
    if report is None:
        found.gaps.append(Gap(f"There are no figures: {known.no_report}", EVALUATE))
        return found
    if report.tasks:
        found.said.append(say_drawn(report))
    for task, figures in report.tasks.items():
        found.tables.append(Lines(task, ("figure", "value", "95 % interval"), whole(report, task)))
        if not any(bounds(figures, m) for m in figures_of(figures)):
            what = f"No figure of '{task}' has an interval: fewer than two rows or groups are known"
            found.gaps.append(Gap(what, "more test rows"))
    for task in report.tasks:
        metric = report.primary(task)
        by = [*report.groups.get(task, {}).items(), *report.slices.get(task, {}).items()]
        for column, values in by:
            head = (column, "test rows", label(metric), "95 % interval")
            rows = [one_value(report, task, metric, v, f) for v, f in values.items()]
            found.tables.append(Lines(f"{task} by {column}", head, rows))
        if not by:
            what = f"'{task}' is not told by group: the job names no group and no category column"
            found.gaps.append(Gap(what, "a column of type group or category in the job"))
    if few_groups(report):
        what = f"Intervals are of only {report.drawn['groups']} groups, and so too narrow"
        found.gaps.append(Gap(what, "test rows of more groups"))
    if report.failed:
        found.gaps.append(Gap(f"{len(report.failed)} parts of the report failed", EVALUATE))
    return found


def whole(report: Report, task: str) -> list[list[str]]:
    """Each figure of a task."""
    figures, unit = report.tasks[task], report.unit(task)
    names = figures_of(figures)
    return [[label(m), say(m, figures[m], unit), say_interval(figures, m, unit)] for m in names]


def one_value(
    report: Report, task: str, metric: str, value: str, figures: dict[str, Any]
) -> list[str]:
    """The main figure of the rows of one group."""
    unit = report.unit(task)
    ends = say_interval(figures, metric, unit) or "–"
    return [value, f"{figures.get('rows', 0):,}", say(metric, figures.get(metric), unit), ends]


def robustness(known: Known) -> Chapter:
    """What attacks have shown: of this run where it was hardened, else of the run as it was before
    a hardened one beside it was made from it.
    """
    found, run = Chapter("robustness", "Robustness"), known.run
    told, whose = run.notes.get(HARDENED), "this run"
    if told is None:
        child = hardened_beside(run)
        if child is None:
            what = "Nobody has attacked it: how far answers hold under worn, wrong cells is unknown"
            found.gaps.append(Gap(what, "modalloy harden RUN"))
            return found
        told, whose = child.notes[HARDENED], f"{child.path.name}, which was made from this run"
        found.said.append("This run's own figures are those before hardening.")
    compared = Compared.from_dict(told["compared"])
    found.said.append(f"Hardened: {whose}.")
    found.said += [f"{said['what']}." for said in told["said"]]
    budgets = "; ".join(f"{column}: {size}" for column, size in told["budgets"].items())
    found.said.append(f"Budgets of the attacks: {budgets}.")
    head = ("task and rows", "figure", "before", "after", "change")
    title = f"On {compared.rows:,} {compared.which}"
    found.tables.append(Lines(title, head, [list(line) for line in compared.lines()]))
    if told["after"] is None:
        what = "It was hardened without test rows: nobody knows whether answers hold"
        found.gaps.append(Gap(what, "split: {test: 0.2} in the job, train anew, harden again"))
    return found


def hardened_beside(run: Run) -> Run | None:
    """A run in a folder beside this one that was hardened from it."""
    for place in sorted(run.path.resolve().parent.glob(f"*/{SEAL}")):
        try:
            parent = read_seal(place.parent).data.get("parent") or {}
            if (parent.get("sha256"), parent.get("verb")) == (run.identity, "harden"):
                return load_run(place.parent)
        except RunError:
            continue  # a folder that is no whole run shows nothing
    return None


def calibration(known: Known) -> Chapter:
    """Whether it is as sure as it may be, and what of its promises came true."""
    found, report = Chapter("calibration", "Calibration"), known.report
    if report is None:
        found.gaps.append(Gap("Without a report nobody knows whether promises are kept", EVALUATE))
        return found
    rows = [list(line) for line in certainty(report)]
    if rows:
        head = ("task", "figure", "before its stage", "after")
        found.tables.append(Lines("How sure answers are", head, rows))
    for task in known.run.job.tasks:
        promised = report.calibrated.get(task)
        if promised is None:
            what = f"'{task}' promises nothing: no set or interval is to hold the truth"
            found.gaps.append(Gap(what, "calibrate in the job, or modalloy calibrate"))
            continue
        found.said.append(f"{task}: {say_realised(promised, report.unit(task))}.")
        band, covered = promised.get("band"), promised.get("coverage")
        if band and covered is not None and covered < band[0]:
            what = f"'{task}' holds the truth in {100 * covered:.1f} % of test rows, less than "
            what += f"chance explains beside {100 * promised['asked']:g} %"
            found.gaps.append(Gap(what, "modalloy calibrate RUN on rows of today"))
    return found


def certainty(report: Report) -> Iterator[tuple[str, ...]]:
    """What adjusting has changed of how sure answers are."""
    for task, told in report.adjusted.items():
        for metric, after in told.get("after", {}).items():
            before = told.get("before", {}).get(metric)
            yield task, label(metric), say(metric, before), say(metric, after)
