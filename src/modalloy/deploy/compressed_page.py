"""Writes the page of a compression and its JSON: every candidate with its verdict."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import NullLocator

from modalloy.deploy.beside import beside
from modalloy.deploy.candidates import FAMILIES
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
    "graph", "candidate", "verdict", "why", "times as fast, 1 row", "times as fast, 16 rows",
    "ms, median", "ms, 99th of 100", "rows/s", "% of peak", "MB", "figure",
    "same decisions", "worst part", "neighbours kept", "build, s",
)  # fmt: skip
WIDE, ONE_LINE = "min-width: 20rem", "white-space: nowrap"
NEAR = 0.035  # of an axis, within which marks share one number
MARKS = "osD^vPX*"


def pages_of(bundle: Path) -> tuple[Path, Path]:
    """Where the page and its JSON lie: beside the bundle, under its name."""
    return beside(bundle, ".compress.html"), beside(bundle, ".compress.json")


def write_report(bundle: Path, job: config.Job, report: Report) -> None:
    """Write the page and its JSON beside a bundle, each whole or not at all."""
    page, data = pages_of(bundle)
    write_safely(data, json.dumps(report.state(), indent=1, allow_nan=False).encode())
    title = ", ".join(job.tasks)
    parts = [
        ("answer", "In short", in_short(report)),
        ("candidates", "Every candidate", candidates_table(report)),
        ("front", "Time against decisions that changed", front(report)),
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
        *report.speed.said(),
        *report.compared.said,
    ]
    if report.peak is not None:
        lines.append(f"The most that this machine computes: {report.peak.text()}")
    of = tag("p", f"On {report.compared.rows} {report.compared.which}.", kind="quiet")
    said = [tag("p", f"{line[:1].upper()}{line[1:]}.") for line in (*lines, *report.said)]
    return join([table(head, report.compared.lines(), numbers=2), of, *said])


def candidates_table(report: Report) -> Markup:
    """One row a candidate; of how little a share of the peak says, below."""
    units = report.compared.units
    rows = [cells_of(i, one, units) for i, one in enumerate(report.tried, 1)]
    stood_in = {
        f"{one.label}: {one.speed.peak_of}"
        for one in report.tried
        if one.speed is not None and other_peak(one)
    }
    said = (
        "Times as fast are those of the run in torch, with the 95 % interval of the timing. % of "
        "peak is the part of the most products that this machine was measured to do in a second, "
        "with numbers of the candidate's own type."
    )
    if stood_in:
        said += (
            " Where those could not be measured here, the type whose peak stands in is named: a "
            "share of another type's peak can be above 100."
        )
    return join([table(HEAD, rows, numbers=4), tag("p", said, kind="quiet")])


def other_peak(one: Tried) -> bool:
    """Whether the share of the peak is of another number type than the candidate's."""
    if one.speed is None or one.speed.peak is None or one.candidate is None:
        return False
    return one.speed.peak_of != FAMILIES[one.candidate.precision]


def cells_of(number: int, one: Tried, units: Mapping[str, str]) -> list[object]:
    """One candidate in words, the number first that the chart has of it."""
    speed, judged = one.speed, one.judged
    kind = "strong" if one.verdict == "chosen" else "span"
    name = tag(kind, f"{number}. {one.label}", style=ONE_LINE)
    times = ["–"] * 6
    if speed is not None:
        times = [
            f"{speed.one.value:.2f} ({speed.one.low:.2f}–{speed.one.high:.2f})",
            f"{speed.many.value:.2f} ({speed.many.low:.2f}–{speed.many.high:.2f})",
            f"{speed.ms_one:.3g}",
            f"{speed.p99_one:.3g}",
            f"{speed.rows_a_second:.0f}",
            said_peak(one),
        ]
    size = f"{one.megabytes:.2f}" if one.megabytes else "–"
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
    return [
        where,
        name,
        one.verdict,
        tag("div", why or "–", style=WIDE),
        *times,
        size,
        *guarded,
        built,
    ]


def said_peak(one: Tried) -> str:
    """The share of the peak, with the number type where it is another one's."""
    if one.speed is None or one.speed.peak is None:
        return "–"
    of = f" of {one.speed.peak_of}" if other_peak(one) else ""
    return f"{100 * one.speed.peak:.0f}{of}"


def front(report: Report) -> Markup:
    """Milliseconds for one row against decisions that changed, a mark a graph, a number a row of
    the table.
    """
    canvas, axes = chart(8.4, 4.4)
    shown = [
        (i, t.branch, t.speed.ms_one, 100 * (1 - t.judged.least_agreement), t.verdict)
        for i, t in enumerate(report.tried, 1)
        if t.speed is not None and t.judged is not None
    ]
    if not shown:
        return tag("p", "No candidate was both timed and judged.", kind="quiet")
    for i, branch in enumerate(dict.fromkeys(b for _, b, *_ in shown)):
        x, y = zip(*[(ms, changed) for _, b, ms, changed, _ in shown if b == branch], strict=True)
        look = {"color": LINES[i % len(LINES)], "marker": MARKS[i % len(MARKS)], "ls": "none"}
        axes.plot(x, y, **look, ms=7, mfc="white", label=branch or "fusion and heads")
    for _, _, ms, changed, verdict in shown:
        if verdict == "chosen":
            axes.plot([ms], [changed], "o", mfc="none", mec=INK, mew=1.6, ms=13)
    axes.set(xlabel="milliseconds for one row", ylabel="decisions that changed, %", xscale="log")
    x, y = (np.array([one[k] for one in shown]) for k in (2, 3))
    axes.set_ylim(-0.06 * max(y.max(), 0.5), 1.15 * max(y.max(), 0.5))
    axes.set_xlim(x.min() / 1.3, x.max() * 1.3)
    ticks = steps(*axes.get_xlim())
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    ends = np.log(axes.get_xlim()), axes.get_ylim()
    place_N2 = np.stack(
        [(np.log(x) - ends[0][0]) / np.ptp(ends[0]), (y - ends[1][0]) / np.ptp(ends[1])], 1
    )
    for own in near(place_N2):
        numbers = ", ".join(str(shown[k][0]) for k in own)
        at = (float(np.mean(x[own])), float(np.max(y[own])))
        given = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center", "fontsize": 8}
        axes.annotate(numbers, at, **given)
    legend(axes, fontsize=8)
    figure = Figure("Time against decisions changed", "chart", drawn(canvas))
    note = (
        "Numbers are those of the table. A ring marks what was taken. Lower and further to the "
        "left is better."
    )
    return join([tag("p", note, kind="quiet"), show_figures([figure])])


def steps(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two; powers alone where those are many."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    found = [float(m * p) for p in powers for m in (1, 2, 5) if low <= m * p <= high]
    return found if len(found) < 12 else [float(p) for p in powers if low <= p <= high]


def near(place_N2: np.ndarray) -> list[list[int]]:
    """Marks that lie too near to one another for a number each, together. place_N2: in parts of
    the axes.
    """
    groups: list[list[int]] = []
    for i in np.argsort(place_N2[:, 0], kind="stable").tolist():
        for own in groups:
            gap = np.abs(place_N2[own] - place_N2[i])
            if (gap.min(0) <= NEAR).all():
                own.append(i)
                break
        else:
            groups.append([i])
    return [sorted(own) for own in groups]
