"""Writes `report.html`: one file that opens anywhere without a network."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from modalloy.errors import RunError
from modalloy.judge.report import Report, plain
from modalloy.judge.sections import AGAIN, LACKS, Sections, at_once, say_failed
from modalloy.machine.files import write_safely
from modalloy.report.document import document
from modalloy.report.figure import Figure, as_markup
from modalloy.report.headline import say_card, say_count
from modalloy.report.html import Markup, data_uri, fold, img, join, table, tag
from modalloy.report.lettering import shape_of
from modalloy.report.recalls import retrieved_part
from modalloy.report.taskpage import task_section
from modalloy.report.unlike import unlike_part

MOST_LINES = 100  # columns and findings that the page lists


def write_page(
    report: Report, figures: Sequence[Figure], path: str | Path, *, made: Sections | None = None
) -> None:
    """Write the page of a report, whole or not at all; see `page`."""
    write_safely(Path(path), page(report, figures, made=made).encode("utf-8"))


def check_page(path: Path) -> None:
    """Refuse a file that a page could not be written to, before its figures are worked out."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise RunError(f"{path}: a report is written as .html, with a .json beside it.")
    if not path.absolute().parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}; make it first.")


def page(report: Report, figures: Sequence[Figure] = (), *, made: Sections | None = None) -> str:
    """The page as HTML; what it says is what `report.json` holds.

    figures: what `figures_for`, `training_figures` and `worst_figure` return. made: goes on where a
    section cannot be drawn, and names it with all else that failed; without it, it raises.
    """
    run = at_once if made is None else made.run
    report = Report(**plain(asdict(report)))
    worst = [f for f in figures if f.place == "worst"]
    training = [f for f in figures if f.place == "training"]
    parts: list[tuple[str, str, Markup]] = []

    def add(key: str, name: str, draw: Callable[[], Markup]) -> None:
        said = f"the section '{name}' of the page"
        blank = tag("p", "This section could not be drawn.", kind="quiet")
        parts.append((key, name, run("page", said, draw, blank)))

    for i, task in enumerate(report.tasks):
        own = [f for f in figures if f.place == "task" and f.task == task]
        section, shown = partial(task_section, report, task), partial(show_figures, own)
        add(f"task{i}", task, lambda a=section, b=shown: join([a(), b()]))
    if report.retrieved:
        found = partial(retrieved_part, report.retrieved, report.zero_shot)
        add("retrieved", "Columns that find one another", found)
    add("data", "Data", partial(data_section, report))
    if worst:
        add("worst", "Worst rows", partial(worst_section, worst))
    if training or report.seconds:
        add("training", "Training", partial(training_section, report, training))
    if report.job or report.environment:
        add("job", "Job and environment", partial(job_section, report))
    cards = []
    for task in report.tasks:
        blank = tag("article", tag("h2", task), kind="card")
        cards.append(run("page", "its card", partial(say_card, report, task), blank, task=task))
    first = join(
        [
            alarm(report),
            lacking(report.failed if made is None else made.failed),
            tag("div", *cards, kind="cards"),
        ]
    )
    return skeleton(report, [("answer", "In short", first), *parts])


def lacking(failed: Sequence[dict[str, Any]]) -> Markup:
    """What the report could not compute, and what to do; nothing where it is whole."""
    if not failed:
        return Markup("")
    items = join(tag("li", said) for said in say_failed(failed))
    inner = (tag("strong", LACKS), f" {AGAIN}.", tag("ul", items))
    return tag("div", *inner, kind="lacking", role="status")


def skeleton(report: Report, parts: Sequence[tuple[str, str, Markup]]) -> str:
    """Head, navigation and sections."""
    title = report.title or ", ".join(report.tasks) or "report"
    footer = "Written by Modalloy. The same figures are in report.json."
    return document(f"{title} - Modalloy report", heading(report, title), parts, footer)


def heading(report: Report, title: str) -> Markup:
    """What was learned from how many rows, and how the test rows were kept apart."""
    parts = [tag("p", "Modalloy report", kind="kicker"), tag("h1", title)]
    return tag("header", *parts, *(tag("p", said, kind="quiet") for said in say_rows(report)))


def say_rows(report: Report) -> list[str]:
    """How many rows had which use, and how the test rows were kept apart; what is known of it."""
    said = {
        "train": "learned from",
        "validation": "used to stop training",
        "refit": "used to stop training and then learned from too",
        "calibration": "kept to adjust how sure answers are",
        "test": "test rows that decide the figures below",
    }
    counts = [f"{say_count(report.rows[k])} {v}" for k, v in said.items() if report.rows.get(k)]
    lines = [f"Rows: {', '.join(counts)}."] if counts else []
    return [*lines, f"How test rows were kept apart: {report.split}."] if report.split else lines


def alarm(report: Report) -> Markup:
    """The red banner of a training that went on although the answer leaks."""
    if not (said := say_leaks(report)):
        return Markup("")
    first, why, *leaks = said
    items = join(tag("li", leak) for leak in leaks)
    return tag("div", tag("strong", first), why, tag("ul", items), kind="alarm", role="alert")


def say_leaks(report: Report) -> list[str]:
    """The verdict, why training went on all the same, and each leak; nothing without a leak."""
    leaks = [f for f in report.findings if f.get("level") == "leak"]
    if not leaks:
        return []
    first = "Do not trust these figures: the answer leaks into the test rows."
    allowed = any(f.get("where") != "rows" for f in leaks)
    why = "Training went on because the job says allow_leak: true." if allowed else ""
    return [first, why, *map(say_finding, leaks)]


def say_finding(finding: dict[str, Any]) -> str:
    """One finding as a sentence with its place and its first rows."""
    where, what = finding.get("where", ""), finding.get("what", finding.get("text", ""))
    rows = finding.get("rows") or []
    count = finding.get("count", len(rows))
    said = f"{where}: {what}" if where else str(what)
    if rows:
        more = f" and {count - len(rows)} more" if count > len(rows) else ""
        said += f" (row{'s' if count > 1 else ''} {', '.join(map(str, rows))}{more})"
    return said


def show_figures(figures: Sequence[Figure]) -> Markup:
    """Pictures side by side where there is room; wide pieces in a line of their own."""
    return tag("div", *(show_figure(f) for f in figures), kind="figures") if figures else Markup("")


def show_figure(figure: Figure) -> Markup:
    """One figure with its title and note."""
    if figure.kind == "chart":
        assert isinstance(figure.data, bytes)
        said = f"{figure.task} {figure.title}".strip()
        kind, width = shape_of(figure.data)
        body = img(data_uri(figure.data, kind), said, width=width)
    else:
        body = as_markup(figure)
    note = tag("figcaption", figure.note) if figure.note else ""
    kind = "whole" if figure.kind == "html" else ""
    return tag("figure", tag("h3", figure.title), body, note, kind=kind)


def data_section(report: Report) -> Markup:
    """The columns that were read, and what `check` found."""
    shares = ("missing", "unreadable", "unknown")
    lacking = {n: sum(a.get(s) or 0.0 for s in shares) for n, a in report.inputs.items()}
    shown = set(sorted(lacking, key=lambda n: -lacking[n])[:MOST_LINES])
    rows = [
        (
            name,
            f"{about.get('type', '')}{', in ' + about['unit'] if about.get('unit') else ''}",
            *(say_share(about.get(s)) for s in shares),
        )
        for name, about in report.inputs.items()
        if name in shown
    ]
    head = ("column", "type", "missing", "unreadable", "never seen in training")
    parts = [table(head, rows, numbers=2)] if rows else []
    if more := len(report.inputs) - len(rows):
        what = f"The {len(rows)} that lack most cells, and {more:,} more, see report.json."
        parts.append(tag("p", what, kind="quiet"))
    if report.unlike:
        parts.append(unlike_part(report.unlike))
    if report.findings:
        items = join(
            tag(
                "li",
                tag("span", f.get("level", "note"), kind=f"badge {f.get('level', '')}"),
                say_finding(f),
            )
            for f in report.findings[:MOST_LINES]
        )
        parts += [tag("h3", "What the check found"), tag("ul", items, kind="findings")]
        if (more := len(report.findings) - MOST_LINES) > 0:
            parts.append(tag("p", f"And {more:,} more, see report.json.", kind="quiet"))
    return join(parts) if parts else tag("p", "Nothing was noted about the data.", kind="quiet")


def say_share(share: float | None) -> str:
    """A share of cells; a dash where nothing was counted."""
    if share is None:
        return "–"
    return "none" if share == 0 else "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def worst_section(figures: Sequence[Figure]) -> Markup:
    """The rows each task got most wrong, with their cells."""
    parts: list[Markup] = [
        tag(
            "p",
            "The test rows with the largest mistakes. Look here first: a wrong label, a dirty "
            "sensor or a case that training never showed is often plain to see.",
            kind="quiet",
        )
    ]
    for figure in figures:
        parts += [tag("h3", figure.title), tag("div", as_markup(figure), kind="rows")]
    return join(parts)


def training_section(report: Report, figures: Sequence[Figure]) -> Markup:
    """Curves and where the time went."""
    rows = [(k, say_time(v)) for k, v in report.seconds.items()]
    times = table(("stage", "time"), rows) if rows else Markup("")
    return join([show_figures(figures), times])


def say_time(seconds: float) -> str:
    """How long something took."""
    return f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.1f} min"


def job_section(report: Report) -> Markup:
    """The job file and what it ran with."""
    rows = [(k.replace("_", " "), say_setting(v)) for k, v in report.environment.items()]
    parts = [fold("Job file", tag("pre", report.job))] if report.job else []
    if rows:
        parts.append(fold("Environment", table(("", ""), rows, numbers=2)))
    return join(parts)


def say_setting(value: Any) -> str:
    """A setting of the environment."""
    return (
        say_count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
    )
