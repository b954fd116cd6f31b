"""How well columns find one another, on the report's page."""

from collections.abc import Mapping
from typing import Any

from modalloy.report.html import Markup, join, table, tag

METRICS = ("recall@1", "recall@5", "recall@10", "mrr")


def retrieved_part(
    retrieved: Mapping[str, Mapping[str, Any]], named: Mapping[str, Mapping[str, Any]]
) -> Markup:
    """The same on the page."""
    head = ("columns", *METRICS, "recall@10 by chance", "rows")
    lines = [
        (pair, *(with_span(f, m) for m in METRICS), f"{f['chance']['recall@10']:.3f}", f["rows"])
        for pair, f in retrieved.items()
    ]
    parts = [
        tag("p", "How often the cell of one column finds the cell of its own row in another."),
        table(head, lines),
    ]
    if named:
        rows = [
            (task, column, f"{f['accuracy']:.3f}", f"{f['most_common']:.3f}", f["rows"])
            for task, own in named.items()
            for column, f in own["columns"].items()
        ]
        parts.append(tag("h3", "Classes known by their names alone"))
        parts.append(table(("task", "column", "accuracy", "most common", "rows"), rows, numbers=2))
    return join(parts)


def with_span(figures: Mapping[str, Any], metric: str) -> str:
    """`0.412 (0.35 to 0.47)`."""
    low, high = figures["interval"][metric]
    return f"{figures[metric]:.3f} ({low:.2f} to {high:.2f})"
