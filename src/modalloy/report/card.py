"""Writes `card.md`: one page for whoever finds the run years later."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from modalloy.checks.finding import some
from modalloy.checks.pretrained_findings import PACKAGES
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.job.job_file import FRAME
from modalloy.judge.report import Report, plain
from modalloy.judge.sections import AGAIN, LACKS, Sections, at_once, say_failed
from modalloy.judge.wording import better, brief, figures_of, label, say, say_interval
from modalloy.machine.files import write_safely
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.time import TimeReader
from modalloy.report.caveats import doubts, few_groups
from modalloy.report.headline import say_baseline, say_figure, say_fusion, say_naive, say_task
from modalloy.report.made_of import say_made_of
from modalloy.report.markdown import bullets, escape, table, words
from modalloy.report.page import say_leaks, say_rows, say_setting, say_share, say_time
from modalloy.report.taskpage import say_drawn, say_meaning
from modalloy.runs.parts import PAGE
from modalloy.runs.run import Run

MOST = 12  # names that are listed
COLUMNS = 10  # columns that are shown, of more than MOST
SAID = 12  # doubts that are listed from the first on, and from the last
TASK_HEAD = ("task", "type", "target", "unit", "answers")
USE = """```
modalloy predict RUN TABLE -o answers.csv    # answers every row of a table
modalloy evaluate RUN TABLE -o new.html      # scores a table whose answers are known
```

RUN is this folder. TABLE has the columns named above; `predict` needs no target, and a column that
TABLE lacks counts as missing. Beside the answers stands what every cell was worth: `ok`, `missing`,
`unreadable` or `unknown`."""


def write_card(run: Run, report: Report) -> None:
    """Write the card of a run from the report that its `report.json` holds.

    A part of it that cannot be made is named in it, and in `report.json` too.
    """
    made = Sections(report.failed)
    text = card(run, report, made=made)
    if len(made.failed) > len(report.failed):
        replace(report, failed=made.failed).save((run.path / PAGE).with_suffix(".json"))
    write_safely(run.path / "card.md", text.encode("utf-8"))


def card(run: Run, report: Report, *, made: Sections | None = None) -> str:
    """The page as Markdown; its sentences are those of the report's page.

    made: goes on where a part cannot be made, and names it; without it, it raises.
    """
    act = at_once if made is None else made.run
    report = Report(**plain(asdict(report)))

    def part(what: str, make: Callable[[], str]) -> str:
        return act("card", f"the part '{what}' of the card", make, "This part could not be made.")

    tasks = part("What it answers", lambda: table(TASK_HEAD, task_rows(run)))
    columns = part("From which columns", lambda: "\n\n".join(columns_part(run, report)))
    rows = part("Rows", lambda: bullets([f"Table: {say_table(run.job)}.", *say_rows(report)]))
    figures = part("How good it is", lambda: "\n\n".join(b for b in figures_part(report) if b))
    trust = part("Where not to trust it", lambda: bullets(shortened(list(doubts(run, report)))))
    how = part("How it was made", lambda: table(("what", "value"), made_rows(run, report)))
    first = f"A model trained by Modalloy {report.environment.get('modalloy', '')}".rstrip()
    blocks = [
        f"# Model card: {escape(report.title or 'model')}",
        f"{first}. The figures are those of report.json; report.html draws them and shows more.",
        say_parent(run),
        alarm(report),
        lacking(report.failed if made is None else made.failed),
        "## What it answers",
        tasks,
        "## From which columns",
        columns,
        "## Rows",
        rows,
        "## How good it is",
        figures,
        "## Where not to trust it",
        trust,
        "## How it was made",
        how,
        "## How to use it",
        USE,
    ]
    return "\n\n".join(b for b in blocks if b) + "\n"


def say_parent(run: Run) -> str:
    """The run that this one was made from, and the verb; nothing for one that `train` made."""
    if run.parent is None:
        return ""
    sha256, verb, folder = run.parent
    return f"Made from run {sha256[:12]} ({escape(folder)}) by `{verb}`."


def alarm(report: Report) -> str:
    """The report's red banner as a quotation above everything."""
    if not (said := say_leaks(report)):
        return ""
    first, why, *leaks = said
    head = f"**{escape(first)}** {escape(why)}"
    return "\n".join(
        f"> {line}".rstrip() for line in (head, "", *bullets(shortened(leaks)).splitlines())
    )


def shortened(lines: list[str]) -> list[str]:
    """The first and the last of many lines, and how many stand between them."""
    if (more := len(lines) - 2 * SAID) <= 1:
        return lines
    return [*lines[:SAID], f"... and {more} more, see report.json", *lines[-SAID:]]


def foremost(run: Run, report: Report) -> list[str]:
    """The inputs that the card shows: all, or of many those that tell most by themselves.

    Pictures, sounds, series and texts come before single values; these are ranked by a small tree
    on each alone, where the report has one.
    """
    names = list(inputs(run.job))
    if len(names) <= MOST:
        return names
    ranks = dict.fromkeys(names, float("inf"))
    for task, columns in report.columns.items():
        metric = report.primary(task)
        told = {n: f[metric] for n, f in columns.items() if f.get(metric) is not None}
        for rank, name in enumerate(sorted(told, key=lambda n: -better(metric) * told[n])):
            ranks[name] = min(ranks.get(name, rank), rank)
    plain_kinds = (config.Number, config.Category, config.Time)
    order = sorted(names, key=lambda n: (isinstance(run.job.columns[n], plain_kinds), ranks[n]))
    shown = set(order[:COLUMNS])
    return [n for n in names if n in shown]


def lacking(failed: Sequence[Mapping[str, Any]]) -> str:
    """What the report could not compute, and what to do; nothing where it is whole."""
    if not failed:
        return ""
    return f"**{escape(LACKS)}** {AGAIN}:\n\n{bullets(say_failed(failed))}"


def task_rows(run: Run) -> Iterator[Sequence[str]]:
    """Each task with its unit and what its answers can be."""
    for name, options in run.job.tasks.items():
        names, unit = run.targets[name].possible, getattr(options, "unit", None) or "–"
        said = "a number" if names is None else f"{len(names)}: {some(names, MOST)}"
        if getattr(options, "labels", None) == "multi":
            said = f"any number of {said}"
        if quantiles := getattr(options, "quantiles", ()):
            said += f", and its quantiles {', '.join(map(str, quantiles))}"
        yield name, options.type, options.target, unit, said


def columns_part(run: Run, report: Report) -> Iterator[str]:
    """Each input: how it is read, what of it training saw, how often test rows lack it."""
    rows, foreign, shown_names = [], {}, set(foremost(run, report))
    for name, options in inputs(run.job).items():
        others = [c for c in run.readers[name].columns if c != name]
        about, encoder = report.inputs.get(name, {}), getattr(options, "encoder", "scratch")
        if encoder != "scratch":
            package = f" (pip package {PACKAGES[encoder]})" if encoder in PACKAGES else ""
            foreign[encoder] = encoder + package
        if name not in shown_names:
            continue
        shown = f"{name} (with {some(others, MOST)})" if others else name
        shares = (say_share(about.get(s)) for s in ("missing", "unreadable", "unknown"))
        rows.append((shown, options.type, say_encoder(options), say_seen(run, name), *shares))
    yield table(
        ("column", "type", "encoder", "training rows", "missing", "unreadable", "unknown"), rows
    )
    if more := len(inputs(run.job)) - len(rows):
        yield f"The {len(rows)} that tell most by themselves, and {more:,} more, see report.json."
    if report.inputs:
        yield "Missing, unreadable, unknown (a name never seen in training): shares of test rows."
    if foreign:
        yield escape(f"Pretrained, each under its own licence: {', '.join(foreign.values())}.")
    if unused := [c for c in run.job.columns if c not in inputs(run.job)]:
        yield escape(f"Named in the job, not seen by the model: {some(unused, MOST)}.")


def say_encoder(options: Any) -> str:
    """Where an input's encoder comes from and what of it training changed."""
    encoder = getattr(options, "encoder", None)
    if encoder in (None, "scratch"):
        return encoder or "–"
    tuned = {"full": "fine-tuned", "last_n": f"last {options.last_n} blocks fine-tuned"}
    tuned["frozen"] = "frozen"
    return f"{encoder}, {tuned.get(options.tune, f'adapted by {options.tune}')}"


def say_seen(run: Run, name: str) -> str:
    """The range of a number or a date, or the names of a category, among training rows."""
    match run.readers[name]:
        case NumberReader() as reader:
            unit = getattr(run.job.columns[name], "unit", None) or ""
            return f"{' to '.join(map(brief, reader.span))} {unit}".rstrip()
        case TimeReader() as reader:
            return " to ".join(date.fromordinal(int(day)).isoformat() for day in reader.edges)
        case CategoryReader() as reader:
            return f"{len(reader.names)}: {some(reader.names, MOST)}".rstrip(": ")
        case _:
            return "–"


def say_table(job: config.Job) -> str:
    """The table that the run was trained on."""
    if job.table == FRAME:
        return "one in memory, which was not kept"
    return job.table + (f", sheet {job.sheet}" if job.sheet else "")


def figures_part(report: Report) -> Iterator[str]:
    """Each task's figures above the simple methods', and what the report concludes."""
    if not report.tasks:
        yield escape(f"No figures: {report.split}.")
    for task, figures in report.tasks.items():
        metric, unit, names = report.primary(task), report.unit(task), figures_of(figures)
        yield f"### {escape(say_task(report, task))}"
        if not names:
            yield "No test row has an answer to compare with: nobody knows how well it answers."
            continue
        main = escape(say(metric, figures.get(metric), unit))
        yield f"**{main}** {escape(say_figure(report, task))}."
        verdicts = [say_baseline(report, task), say_fusion(report, task), say_naive(report, task)]
        yield bullets(words(v) for v in verdicts if v)
        if report.made_of.get(task):
            yield escape(say_made_of(report, task))
        rows = [("this model", *(say(m, figures[m], unit) for m in names))]
        rows.append(("95 % interval", *(say_interval(figures, m, unit) or "–" for m in names)))
        for name, simple in report.baselines.get(task, {}).items():
            said = f"{name} ({simple['note']})" if simple.get("note") else name
            rows.append((said, *(say(m, simple.get(m), unit) for m in names)))
        yield table(("", *map(label, names)), rows)
        yield "\n".join(escape(f"{label(m)}: {say_meaning(report, task, m)}.") for m in names)
    if report.tasks and not few_groups(report):
        yield escape(say_drawn(report))


def federated_rows(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """With whom a run learned, and what was promised of this site's rows, and of what unit."""
    own = told.get("privacy", {}).get(told.get("site"))
    yield "learned with", f"{len(told['sites']) - 1} other sites, whose rows were never here"
    if own is None:
        yield "privacy", "none is promised; see docs/federate.md for who may learn what"
    else:
        promised = f"epsilon {own['epsilon']:.2f} at delta {own['delta']:.1g}"
        how = f"differential privacy of each {own['unit']}: {promised}, by {own['accountant']}"
        yield "privacy", how


def made_rows(run: Run, report: Report) -> Iterator[Sequence[str]]:
    """Versions, device, seed, epochs and time."""
    yield from ((k.replace("_", " "), say_setting(v)) for k, v in report.environment.items())
    best = run.notes.get("best_epoch")
    yield "seed", str(run.job.seed)
    if federated := run.notes.get("federated"):
        yield from federated_rows(federated)
    yield "epochs", f"{run.notes.get('epochs')}" + (f", best on validation {best}" if best else "")
    yield "precision", str(run.notes.get("precision"))
    yield "time", ", ".join(f"{name} {say_time(s)}" for name, s in report.seconds.items())
