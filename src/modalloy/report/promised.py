"""What a task's answers promise and what came true, on its section of the page."""

from collections.abc import Mapping
from typing import Any

from modalloy.judge.report import Report
from modalloy.judge.wording import say_realised
from modalloy.report.headline import say_count
from modalloy.report.html import Markup, join, table, tag

TITLE = "What the answer promises"
SOURCES = {
    "kept": " that were neither learned from nor tested on",
    "validation": " that were not learned from, though they said when to stop",
    "crossed": (
        " that were held back: each was answered by a network that had not learned from it, before "
        "all of them were learned from (cross-conformal: the promise holds nearly, by no proof)"
    ),
    "given": " of another table, for which the run was calibrated anew",
}


def promised_part(report: Report, task: str) -> Markup:
    """The promise and what came of it in words, and kind by kind as a table."""
    found, unit = report.calibrated[task], report.unit(task)
    parts = [tag("h3", TITLE), tag("p", f"{say_realised(found, unit)}.")]
    parts.append(tag("p", say_fitted(found), kind="quiet"))
    if found.get("kinds"):
        size = "mean width" if "width" in found else "mean size"
        head = ("rows that lack", "test rows", "hold the truth", "95 % band", size, "thresholds")
        parts.append(table(head, [kind_row(kind) for kind in found["kinds"]]))
        if (more := found.get("all_kinds", 0) - len(found["kinds"])) > 0:
            parts.append(tag("p", f"And {more} rarer kinds of rows.", kind="quiet"))
    return join(parts)


def say_fitted(found: Mapping[str, Any]) -> str:
    """Which rows thresholds were taken from, and where coverage lies by chance."""
    rows = say_count(found["fitted_on"])
    said = f"Thresholds were taken from {rows} rows{say_source(found.get('source', ''))}."
    if found.get("band"):
        low, high = (f"{100 * x:.1f}" for x in found["band"])
        said += f" By chance alone coverage lies between {low} and {high} % in 95 of 100 cases"
        said += " where test rows are of the same kind."
    return said


def say_source(source: str) -> str:
    """What is to be said of the rows that something was fitted on."""
    return SOURCES.get(source, SOURCES["kept"])


def kind_row(kind: Mapping[str, Any]) -> tuple[str, ...]:
    """One kind of rows: what came true, and whose thresholds hold for it."""
    lacks = ", ".join(kind["missing"]) or "nothing"
    values = ", ".join(f"{column} {value}" for column, value in kind["by"].items())
    band = kind.get("band")
    size = kind.get("width", kind.get("size"))
    return (
        f"{lacks}; {values}" if values else lacks,
        say_count(kind["rows"]),
        "–" if kind["coverage"] is None else f"{100 * kind['coverage']:.1f} %",
        "–" if not band else f"{100 * band[0]:.0f} to {100 * band[1]:.0f} %",
        "–" if size is None else f"{size:.3g}",
        f"own, {say_count(kind['fitted_on'])} rows" if kind["own"] else "of several kinds",
    )
