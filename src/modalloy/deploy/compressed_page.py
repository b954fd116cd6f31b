"""Writes the page of a compression and its JSON: every candidate with its verdict."""

import json
from collections.abc import Mapping
from pathlib import Path

from modalloy.deploy.compressed_report import Report, promised
from modalloy.deploy.tried import Tried
from modalloy.job import config
from modalloy.judge.wording import fixed, label, say
from modalloy.machine.files import write_safely
from modalloy.report.charts import INK, LINES, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures

HEAD = (
    "graph", "candidate", "verdict", "x, one row", "x, 16 rows", "ms p50", "ms p99", "rows/s",
    "% of peak", "MB", "figure", "agreement", "worst part", "neighbours", "build s", "why",
)  # fmt: skip
MARKS = "osD^vPX*"


def pages_of(bundle: Path) -> tuple[Path, Path]:
    """Where the page and its JSON lie: beside the bundle, under its name."""
    stem = bundle.name.removesuffix(".zip")
    return bundle.with_name(f"{stem}.compress.html"), bundle.with_name(f"{stem}.compress.json")


def write_report(bundle: Path, job: config.Job, report: Report) -> None:
    """Write the page and its JSON beside a bundle, each whole or not at all."""
    page, data = pages_of(bundle)
    write_safely(data, json.dumps(report.state(), indent=1, allow_nan=False).encode())
    title = ", ".join(job.tasks)
    parts = [
        ("answer", "In short", in_short(report)),
        ("candidates", "Every candidate", candidates_table(report)),
        ("front", "Time against decisions kept", front(report)),
    ]
    heading = tag("header", tag("p", "Modalloy compress", kind="kicker"), tag("h1", title))
    footer = f"Written by Modalloy. The same figures are in {data.name}."
    text = document(f"{title} - Modalloy compress", heading, parts, footer)
    write_safely(page, text.encode("utf-8"))


def in_short(report: Report) -> Markup:
    """The table before and after, what was promised, and where the time goes."""
    head = ("task", "figure", "before", "after", "change")
    feed, after = report.speed.feed, report.speed.one[1]
    lines = [
        promised(report.contract),
        f"Reading one row takes {feed:.3g} ms and computing its answer {after:.3g} ms, so "
        + (
            "more is to be gained from reading than from any faster graph"
            if feed > after
            else "computing is most of it"
        ),
        *report.compared.said,
    ]
    if report.peak is not None:
        lines.append(f"The most that this machine computes: {report.peak.text()}")
    of = tag("p", f"On {report.compared.rows} {report.compared.which}.", kind="quiet")
    said = [tag("p", f"{line[:1].upper()}{line[1:]}.") for line in (*lines, *report.said)]
    return join([table(head, report.compared.lines(), numbers=2), of, *said])


def candidates_table(report: Report) -> Markup:
    """One row a candidate."""
    units = report.compared.units
    return table(HEAD, [cells_of(one, units) for one in report.tried], numbers=3)


def cells_of(one: Tried, units: Mapping[str, str]) -> list[object]:
    """One candidate in words."""
    speed, judged = one.speed, one.judged
    name = tag("strong", one.label) if one.verdict == "chosen" else one.label
    times = ["–"] * 6
    if speed is not None:
        times = [
            f"{speed.one.value:.2f} ({speed.one.low:.2f}–{speed.one.high:.2f})",
            f"{speed.many.value:.2f} ({speed.many.low:.2f}–{speed.many.high:.2f})",
            f"{speed.ms_one:.3g}",
            f"{speed.p99_one:.3g}",
            f"{speed.rows_a_second:.0f}",
            "–" if speed.peak is None else f"{100 * speed.peak:.0f}",
        ]
    size = f"{one.megabytes:.2f}" if one.files else "–"
    guarded = ["–"] * 4
    if judged is not None:
        figures = [
            f"{task}: {label(metric)} {say(metric, pair.before, units.get(task, ''))} → "
            f"{say(metric, pair.after, units.get(task, ''))}"
            for task, found in judged.tasks.items()
            for metric, pair in found.items()
        ]
        worst = judged.worst
        guarded = [
            "; ".join(figures),
            f"{fixed(100 * judged.least_agreement, 2)} %",
            f"{worst.name}: {fixed(-worst.lost, 1)} points" if worst else "–",
            f"{fixed(100 * judged.kept, 1)} %" if judged.kept is not None else "–",
        ]
    why = "; ".join(filter(None, (one.why, one.said)))
    where = one.branch or "fusion and heads"
    built = f"{one.build_s:.0f}" if one.build_s else "–"
    return [where, name, one.verdict, *times, size, *guarded, built, why]


def front(report: Report) -> Markup:
    """Milliseconds for one row against decisions that are the same, a mark a graph."""
    canvas, axes = chart(8.4, 4.4)
    shown = [t for t in report.tried if t.speed is not None and t.judged is not None]
    for i, branch in enumerate(dict.fromkeys(t.branch for t in shown)):
        own = [t for t in shown if t.branch == branch]
        x = [t.speed.ms_one for t in own if t.speed]
        y = [100 * (1 - t.judged.least_agreement) for t in own if t.judged]
        look = {"color": LINES[i % len(LINES)], "marker": MARKS[i % len(MARKS)], "ls": "none"}
        axes.plot(x, y, **look, ms=7, mfc="white", label=branch or "fusion and heads")
        for t, at, changed in zip(own, x, y, strict=True):
            axes.annotate(
                t.label, (at, changed), xytext=(4, 4), textcoords="offset points", fontsize=7
            )
            if t.verdict == "chosen":
                axes.plot([at], [changed], "o", mfc="none", mec=INK, mew=1.6, ms=13)
    axes.set(xlabel="milliseconds for one row", ylabel="decisions that changed, %", xscale="log")
    legend(axes, fontsize=8)
    figure = Figure("Time against decisions changed", "chart", drawn(canvas))
    note = "A ring marks what was taken. Lower and further to the left is better."
    return join([tag("p", note, kind="quiet"), show_figures([figure])])
