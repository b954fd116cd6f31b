"""The page of many rows: which columns carry which class, and which rows hang on one column."""

import numpy as np

from modalloy.attribution.drawn import Bar, bars, chart_image, key
from modalloy.attribution.explanation import signed
from modalloy.attribution.row_page import FOOTER, short_name
from modalloy.attribution.whole import ALONE, Overview, TaskOverview, say_row
from modalloy.judge.wording import brief
from modalloy.report.charts import SHADES, apart, chart
from modalloy.report.document import document
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn

MOST_KINDS = 12  # classes that the chart shows, commonest first
MOST_ROWS = 50  # that hang on one column, in the table


def whole_page(found: Overview) -> str:
    """The page as HTML."""
    title = f"{found.run.path.resolve().name}: what its answers hang on"
    rows = f"{found.explained:,} of {found.of:,}" if found.explained < found.of else f"{found.of:,}"
    heading = tag(
        "header", tag("p", "Why Modalloy answers", kind="kicker"), tag("h1", title),
        tag("p", f"{rows} rows of {short_name(found.source)}", kind="quiet"),
    )  # fmt: skip
    cards = tag("div", *(card(t) for t in found.tasks), kind="cards")
    parts = [("short", "In short", join([cards, key()]))]
    parts += [(f"task{i}", t.task, task_part(t)) for i, t in enumerate(found.tasks)]
    how = (
        "Shapley values over all sets of columns"
        if found.exact
        else "Shapley values of each row, estimated from a few orders of the columns; the errors "
        "are those of the means over rows"
    )
    note = f"{how}. A column is hidden as though its cell were missing."
    parts.append(("method", "How it was found", tag("p", note)))
    return document(title, heading, parts, FOOTER)


def card(task: TaskOverview) -> Markup:
    """The columns that matter most to one task."""
    means = task.mean()
    order = sorted(means, key=lambda c: -means[c]["size"])
    total = sum(m["size"] for m in means.values()) or 1.0
    lines = [f"{c} {100 * means[c]['size'] / total:.0f} %" for c in order[:3]]
    many = len(task.alone())
    hang = f"{many} of {len(task.rows)} rows hang on one column." if many else (
        "No row hangs on one column."
    )  # fmt: skip
    return tag(
        "article", tag("h2", task.task), tag("div", order[0], kind="big"),
        tag("p", f"Share of all that columns add: {', '.join(lines)}.", kind="verdict"),
        tag("p", hang, kind="quiet"), kind="card",
    )  # fmt: skip


def task_part(task: TaskOverview) -> Markup:
    """Columns over all rows, columns by class, rows that hang on one."""
    means = task.mean()
    order = sorted(means, key=lambda c: -means[c]["size"])
    lines = [
        Bar(c, means[c]["size"], f"{brief(means[c]['size'])} {task.unit}".rstrip()) for c in order
    ]
    parts: list[Markup] = [
        tag("h3", "How much each column moves an answer"),
        tag("p", "Mean size of what it adds to the answer of a row, or takes from it.",
            kind="quiet"),
        bars(lines),
    ]  # fmt: skip
    kinds = task.kinds[:MOST_KINDS]
    if len(kinds) > 1:
        title = "Which column carries which class"
        figure = chart_image(carried(task, kinds, order), title)
        note = "Mean of what a column adds to the probability of the class that is answered."
        parts += [tag("h3", title), tag("p", note, kind="quiet"), tag("figure", figure)]
    parts.append(tag("h3", "Rows that hang on one column"))
    alone = task.alone()
    if not alone:
        none = (
            f"None: of no row does one column make {100 * ALONE:.0f} % of all that is added and "
            "change the class once it is hidden."
        )
        parts.append(tag("p", none, kind="quiet"))
    else:
        note = (
            f"One column makes {100 * ALONE:.0f} % or more of all that is added, and without it "
            "the answer is another. Where that column is wrong, so is the answer."
        )
        said = [say_row(task, r) for r in alone[:MOST_ROWS]]
        parts += [
            tag("p", note, kind="quiet"),
            table(("row", "answer", "column", "how much"), said, numbers=4),
        ]
        if len(alone) > MOST_ROWS:
            parts.append(
                tag("p", f"And {len(alone) - MOST_ROWS} more, see the JSON.", kind="quiet")
            )
    return join(parts)


def carried(task: TaskOverview, kinds: list[str], columns: list[str]) -> bytes:
    """Classes over columns, the shade of each cell what the column adds."""
    means = [task.mean(k) for k in kinds]
    value_KN = np.array([[m[c]["adds"] for c in columns] for m in means])
    width, height = min(9.0, 2.2 + 0.95 * len(columns)), 1.3 + 0.42 * len(kinds)
    canvas, axes = chart(width, height)
    most = float(np.abs(value_KN).max()) or 1.0
    axes.imshow(np.clip(value_KN / most, 0, 1), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)
    axes.set_xticks(
        range(len(columns)), apart(columns), rotation=35, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(kinds)), apart(kinds))
    axes.tick_params(length=0)
    for i, j in np.ndindex(value_KN.shape):
        color = "#ffffff" if value_KN[i, j] > 0.55 * most else "#1f2933"
        axes.text(
            j, i, signed(value_KN[i, j]), ha="center", va="center", color=color, fontsize=8
        )  # fmt: skip
    return drawn(canvas)
