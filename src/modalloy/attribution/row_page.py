"""The page of one row: what each column adds, where in its cells, and what would change it."""

from collections.abc import Sequence

import numpy as np

from modalloy.attribution.drawn import Bar, bars, draw_inside, key
from modalloy.attribution.explanation import Explanation, TaskReasons, say, signed
from modalloy.attribution.inside import Inside
from modalloy.attribution.outcome import BoxOutcome, QueryOutcome, say_truth
from modalloy.judge.wording import brief
from modalloy.report.document import document
from modalloy.report.html import Markup, join, short, table, tag
from modalloy.report.made_of import say_share
from modalloy.report.show import show_cell

FOOTER = "Written by Modalloy. The same is in the JSON file beside this page."
MOST_NAMED = 3  # columns in the sentence under an answer
SMALL = 0.05  # share of the largest value below which a column is not named


def row_page(found: Explanation) -> str:
    """The page as HTML."""
    first = [
        tag("div", *(card(t) for t in found.tasks), kind="cards"),
        key(),
    ]
    parts = [("answer", "In short", join(first))]
    for i, reasons in enumerate(found.tasks):
        if reasons.outcome is not None:
            parts.append((f"task{i}", reasons.task, task_part(found, reasons)))
    parts.append(("row", "The row", row_part(found)))
    parts.append(("past", "Nearest past rows", past_part(found)))
    title = f"row {found.row} of {short_name(found.source)}"
    heading = tag(
        "header", tag("p", "Why Modalloy answers", kind="kicker"), tag("h1", title),
        tag("p", f"Run {found.run.path.resolve().name}", kind="quiet"),
    )  # fmt: skip
    return document(f"{title} - why", heading, parts, FOOTER)


def short_name(source: str) -> str:
    """A table's name without its folders."""
    return source if "?" in source else source.replace("\\", "/").rsplit("/", 1)[-1]


def card(reasons: TaskReasons) -> Markup:
    """One answer and the columns that it hangs on."""
    parts = [tag("h2", reasons.task), tag("div", short(reasons.answered, 60), kind="big")]
    if reasons.outcome is None:
        parts.append(tag("p", "There is nothing to explain in this row.", kind="quiet"))
    else:
        parts.append(tag("p", say_short(reasons), kind="verdict"))
    return tag("article", *parts, kind="card")


def say_short(reasons: TaskReasons) -> str:
    """The columns that speak most for an answer and against it, in a sentence or two."""
    assert reasons.outcome is not None
    assert reasons.columns is not None
    shares, unit = reasons.columns.shares, reasons.outcome.unit
    most = float(np.abs(shares.value_N).max(initial=0.0))
    strong = [
        (reasons.columns.columns[i], float(shares.value_N[i]))
        for i in reasons.columns.order
        if abs(shares.value_N[i]) > SMALL * most
    ]
    whole = f"{reasons.outcome.what}: {say(shares.whole, unit)}"
    up = [f"{c} ({signed(v, unit)})" for c, v in strong if v > 0][:MOST_NAMED]
    down = [f"{c} ({signed(v, unit)})" for c, v in strong if v < 0][:MOST_NAMED]
    said = [whole[:1].upper() + whole[1:] + f", {say(shares.nothing, unit)} without any column."]
    if up:
        said.append(f"For it: {listed(up)}.")
    if down:
        said.append(f"Against it: {listed(down)}.")
    return " ".join(said)


def listed(names: Sequence[str]) -> str:
    """Names in a row, the last after `and`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def task_part(found: Explanation, reasons: TaskReasons) -> Markup:
    """Columns, the inside of cells, changes."""
    assert reasons.outcome is not None
    title = f"What each column adds to the {reasons.outcome.what}"
    parts = [tag("h3", title), columns_part(reasons)]
    parts += pairs_part(reasons)
    if reasons.changes is not None:
        parts += [tag("h3", "What would change it"), changes_part(reasons)]
    if reasons.inside:
        parts += [tag("h3", "Where in the cells"), tag("p", say_inside_of(reasons), kind="quiet")]
        box = reasons.outcome.box if isinstance(reasons.outcome, BoxOutcome | QueryOutcome) else ()
        on = reasons.outcome.on
        figures = [
            inside_figure(i, box if i.column == on else (), found.lines) for i in reasons.inside
        ]
        parts.append(tag("div", *figures, kind="figures"))
    return join(parts)


def columns_part(reasons: TaskReasons) -> Markup:
    """A signed bar a column, and how the numbers were found."""
    assert reasons.columns is not None
    assert reasons.outcome is not None
    shares, unit = reasons.columns.shares, reasons.outcome.unit
    lines = []
    for i in reasons.columns.order:
        error = 0.0 if shares.error_N is None else float(shares.error_N[i])
        said = signed(float(shares.value_N[i]), unit)
        said += f" ± {brief(error)}" if error else ""
        lines.append(Bar(reasons.columns.columns[i], float(shares.value_N[i]), said, error))
    how = (
        f"Shapley values, exact over {shares.asked:,} sets of columns"
        if shares.error_N is None
        else f"Shapley values estimated from {shares.asked:,} sets of columns, with their "
        "standard errors"
    )
    note = (
        f"{how}: {say(shares.nothing, unit)} with every column hidden, and all that the columns "
        f"add, make {say(shares.whole, unit)}."
    )
    if reasons.columns.absent:
        note += f" Missing in this row: {', '.join(reasons.columns.absent)}."
    return join([bars(lines), tag("p", note, kind="quiet")])


def pairs_part(reasons: TaskReasons) -> list[Markup]:
    """Pairs of columns that do more, or less, together than each does alone."""
    assert reasons.columns is not None
    assert reasons.outcome is not None
    unit, pairs = reasons.outcome.unit, reasons.columns.pairs()
    most = float(np.abs(reasons.columns.shares.value_N).max(initial=0.0))
    pairs = [p for p in pairs if abs(p[2]) > SMALL * most]
    if not pairs:
        return []
    rows = [(f"{a} and {b}", signed(v, unit)) for a, b, v in pairs]
    note = "What two columns add together beyond what each adds without the other."
    return [
        tag("h3", "Pairs"), tag("p", note, kind="quiet"), table(("columns", "together"), rows)
    ]  # fmt: skip


def say_inside_of(reasons: TaskReasons) -> str:
    """Whose opinion the marks are, and how strongly it counts."""
    if reasons.network >= 1.0:
        return "Marked by what the network makes of each part of a cell."
    share = say_share(reasons.network)
    return (
        f"The network has {share} of this answer, classical methods the rest; the marks inside "
        "cells are the network's alone."
    )


def inside_figure(inside: Inside, box: Sequence[float], lines: Sequence[float]) -> Markup:
    """One cell with its parts marked."""
    strongest = ", ".join(f"{p.said} ({signed(100 * p.share, '%')})" for p in inside.places(3))
    how = inside.method
    if how == "occlusion":
        how += ": each part was made flat, since integrated gradients do not add up here"
    caption = tag("figcaption", f"Most: {strongest}. By {how}.")
    return tag(
        "figure", tag("h3", inside.column), draw_inside(inside, box, lines), caption, kind="whole"
    )


def changes_part(reasons: TaskReasons) -> Markup:
    """Changes of actionable numbers, or that there are none."""
    if not reasons.changes:
        none = "No change of these numbers within the range of the training rows gives another."
        return tag("p", none, kind="quiet")
    return tag("ul", *(tag("li", c.said) for c in reasons.changes))


def row_part(found: Explanation) -> Markup:
    """The cells of the row, and what each was worth."""
    items = []
    for name, reader in found.run.readers.items():
        shown, status = show_cell(reader, found.cells, 0), found.status.get(name, "ok")
        more = "" if status in ("ok", "missing") else tag("small", f" {status}")
        items.append(tag("div", tag("dt", name), tag("dd", shown, more)))
    return tag("article", tag("dl", *items), kind="row")


def past_part(found: Explanation) -> Markup:
    """The nearest rows that were learned from, with their true answers."""
    if isinstance(found.past, str):
        return tag("p", f"{found.past}.", kind="quiet")
    if not found.past or found.past_cells is None:
        return tag("p", "Not asked for.", kind="quiet")
    of = f"{found.compared:,} of {found.learned:,}" if found.compared < found.learned else (
        f"{found.learned:,}"
    )  # fmt: skip
    note = (
        f"Of {of} rows that were learned from, those that the network sees most like this one, "
        "with their true answers."
    )
    cards = []
    for k, past in enumerate(found.past):
        head = [tag("b", f"row {past.row}, distance {brief(past.distance)}")]
        head += [tag("span", f"{t}: {short(say_truth(v), 80)}") for t, v in past.truth.items()]
        items = [
            tag("div", tag("dt", n), tag("dd", show_cell(r, found.past_cells, k, pixels=140)))
            for n, r in found.run.readers.items()
        ]
        cards.append(tag("article", tag("header", *head), tag("dl", *items), kind="row"))
    return join([tag("p", note, kind="quiet"), tag("div", *cards, kind="rows")])
