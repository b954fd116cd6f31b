"""Writes `watched.html`: what has drifted, since when and in which rows, beside training's rows."""

from collections.abc import Sequence

import numpy as np

from modalloy.observing.seen import Feature
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Dot, Markup, dots, fold, join, table, tag
from modalloy.report.page import show_figures
from modalloy.report.show import show_cell
from modalloy.watching import plots
from modalloy.watching.comparisons import ANSWERS, Comparison
from modalloy.watching.drifts import Window
from modalloy.watching.watched import Drift, Estimated, Watched
from modalloy.watching.words import amount, say_estimate, say_window

FOOTER = "Written by Modalloy. The same is in the JSON file beside this page."
PIXELS = 150  # of a thumbnail
MOST = 24  # drifts with pictures of their own; the others are in the table
CELLS = 6  # rows that are shown of a drift


def watch_page(watched: Watched, window: Window, alarms: Sequence[Comparison]) -> str:
    """The page as HTML."""
    parts = [("answer", "In short", in_short(watched))]
    if watched.drifts:
        parts.append(("drifts", "What has drifted", every_drift(watched, window, alarms)))
    if watched.estimates:
        parts.append(("estimates", "How well rows are answered", all_estimates(watched)))
    parts.append(("notes", "What was compared", compared(watched)))
    heading = tag(
        "header",
        tag("p", f"Modalloy watch, run {watched.run}", kind="kicker"),
        tag("h1", watched.source.rpartition("/")[2]),
        tag("p", f"{say_window(watched)}"[:1].upper() + say_window(watched)[1:], kind="quiet"),
    )
    return document(f"{watched.run} - Modalloy watch", heading, parts, FOOTER)


def in_short(watched: Watched) -> Markup:
    """A sentence a drift, a table of all, and what the cells of the table were worth."""
    if not watched.drifts:
        parts = [tag("p", say_window(watched))]
        parts += [tag("p", f"{said}.") for said in watched.agreed]
    else:
        items = join(tag("li", f"{d.said}.") for d in watched.drifts)
        head = ("where", "what", "how much", "PSI", "chance without drift", "since row")
        rows = [
            (
                d.where,
                d.of or d.kind,
                d.much,
                "–" if d.stability is None else f"{d.stability:.2f}",
                f"{d.chance:.1e}" if d.chance < 1e-3 else f"{d.chance:.4f}",
                "all rows" if d.since is None else str(d.since.row),
            )
            for d in watched.drifts
        ]
        agreed = [tag("p", f"{said}.") for said in watched.agreed]
        parts = [tag("ul", items), *agreed, table(head, rows, numbers=3)]
    if watched.caveats:
        items = join(tag("li", f"{c}.") for c in watched.caveats)
        parts += [tag("h3", "Columns and cells"), tag("ul", items)]
    return join(parts)


def every_drift(watched: Watched, window: Window, alarms: Sequence[Comparison]) -> Markup:
    """Each drift with its pictures."""
    by_place: dict[tuple[str, str, str], Comparison] = {(a.where, a.of, a.kind): a for a in alarms}
    parts = []
    for at, drift in enumerate(watched.drifts[:MOST]):
        alarm = by_place[drift.where, drift.of, drift.kind]
        inner = [tag("p", f"{drift.said}."), show_figures(figures(window, alarm, drift))]
        if cells := unlike_cells(window, drift):
            inner.append(cells)
        parts.append(fold(f"{drift.where} ({drift.much})", *inner, opened=at < 6))
    if len(watched.drifts) > MOST:
        parts.append(tag("p", f"{len(watched.drifts) - MOST} more are in the table.", kind="quiet"))
    return join(parts)


def figures(window: Window, alarm: Comparison, drift: Drift) -> list[Figure]:
    """The window over training's rows, and row after row."""
    reference, seen = window.reference, window.seen
    found: list[Figure] = []

    def put(title: str, data: bytes) -> None:
        found.append(Figure(title, "chart", data))

    if alarm.kind == "number":
        feature = Feature(alarm.where, alarm.of)
        data = plots.over(reference.numbers[feature].own, seen.numbers[feature], str(feature))
        put("Beside training", data)
    elif alarm.kind in ("value", "sure"):
        old, new = reference.said[alarm.where], seen.said[alarm.where]
        pair = (old.sure_B, new.sure_B) if alarm.kind == "sure" else (old.value_B, new.value_B)
        put("Beside held-back rows", plots.over(plots.Sketch.of(pair[0]), pair[1], alarm.of))
    elif alarm.kind == "vectors" and alarm.old_N is not None:
        data = plots.scores(alarm.old_N, alarm.score_B)
        put("How unlike training its encoder sees them", data)
    elif alarm.kind in ("names", "classes"):
        put("Shares", plots.shares(*plots.counts_of(window, alarm)))
    score_B = alarm.score_B
    if np.isfinite(score_B).sum() > 2 and alarm.kind not in ("classes",):
        at = None
        if drift.since is not None:
            at = int(np.flatnonzero(window.which == drift.since.row)[0])
        put("Row after row", plots.in_order(score_B, at))
    return found


def unlike_cells(window: Window, drift: Drift) -> Markup:
    """The cells of the rows that are most unlike, as a person sees, hears or reads them."""
    loader = window.loader
    column = drift.where.split("[")[0] if drift.where not in loader.readers else drift.where
    task = drift.kind in ANSWERS or column not in loader.readers
    shown = [n for n in loader.readers if n not in loader.hidden][:6] if task else [column]
    lines = []
    for row in drift.rows[:CELLS]:
        columns = list(dict.fromkeys(c for n in shown for c in loader.readers[n].columns))
        cells = loader.cells(columns, np.array([row]))
        drawn = [show_cell(loader.readers[n], cells, 0, pixels=PIXELS) for n in shown]
        lines.append([tag("strong", str(row)), *drawn])
    if not lines:
        return Markup("")
    title = tag("p", "The rows that are most unlike:", kind="quiet")
    if len(shown) > 1:
        return join([title, table(["row", *shown], lines, numbers=len(shown) + 1)])
    head = [line[0] for line in lines]
    return join([title, table(head, [[line[1] for line in lines]], numbers=len(head) + 1)])


def all_estimates(watched: Watched) -> Markup:
    """Estimated figures beside the true ones, and by each way."""
    parts = []
    for e in watched.estimates:
        parts += [tag("h3", e.task), tag("p", f"{say_estimate(e)}."), dots(lines_of(e))]
    return join(parts)


def lines_of(e: Estimated) -> list[Dot]:
    """One line a way, the true figure first."""
    found = []
    if e.true is not None:
        said = f"{amount(e, e.true)} on {e.labelled} rows"
        found.append(Dot("true", e.true, e.true_low, e.true_high, said, main=True))
    if e.value is not None:
        found.append(Dot("estimated", e.value, e.low, e.high, amount(e, e.value), main=True))
    found += [Dot(f"by {way}", value, said=amount(e, value)) for way, value in e.ways.items()]
    if e.known is not None:
        found.append(Dot("held-back rows of training", e.known, said=amount(e, e.known)))
    return found


def compared(watched: Watched) -> Markup:
    """Against what, with how many tests, and how often such tests are wrong."""
    level = (
        f"{watched.tests} tests of one window. Where nothing has drifted, any alarm is raised in "
        f"at most {100 * watched.level:.0f} % of windows (Benjamini-Hochberg over all tests, and a "
        "part of the level for streams)."
    )
    return join(tag("p", said) for said in (level, *watched.notes))
