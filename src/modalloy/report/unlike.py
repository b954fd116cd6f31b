"""How many test rows are unlike those of training, and what about them is: words and a table."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from modalloy.report.headline import say_count
from modalloy.report.html import Markup, join, table, tag
from modalloy.unlike.likeness import Likeness, Unlikeness

TITLE = "Rows unlike those of training"
MOST_LINES = 12


def count_unlike(likeness: Likeness, found: Unlikeness) -> dict[str, Any]:
    """What `Report.unlike` keeps."""
    rows, unlike = len(found.score_B), int(found.unlike_B.sum())
    columns = Counter(name for name in found.column if name)
    return {
        "rows": rows,
        "unlike": unlike,
        "share": unlike / rows if rows else None,
        "expected": likeness.share,
        "columns": dict(columns.most_common()),
        "judged_by": likeness.said.get("by"),
        "judged_rows": likeness.said.get("rows"),
        "references": likeness.said.get("references"),
    }


def unlike_part(found: Mapping[str, Any]) -> Markup:
    """The share of unlike rows beside the one that is expected, and the columns that are unlike."""
    parts = [tag("h3", TITLE), tag("p", say_unlike(found))]
    columns = list(found.get("columns", {}).items())
    if columns:
        parts.append(table(("what is unlike", "rows"), columns[:MOST_LINES]))
    return join(parts)


def say_unlike(found: Mapping[str, Any]) -> str:
    """How many rows are unlike, how many were to be expected, and by what rows that was judged."""
    share, expected = found.get("share") or 0.0, found["expected"]
    said = f"{say_count(found['unlike'])} of {say_count(found['rows'])} test rows "
    said += f"({100 * share:.1f} %) are unlike all that was learned from; of rows like those of "
    said += f"training about {100 * expected:.3g} % would be, by the {found['judged_by']} "
    said += f"({say_count(found['judged_rows'])}) that the limit comes from. Rows are compared "
    references = say_count(found["references"])
    return said + f"with {references} training rows, column by column and together."
