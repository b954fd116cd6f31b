"""What benchmarks write: lines in a file of results, and tables between the marks of a page."""

import json
from collections.abc import Sequence
from pathlib import Path

BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def put_lines(lines: list[dict], path: Path, *, key: str, order: Sequence[str]) -> list[dict]:
    """Replace those lines of a file of results that have the same name under a key; all lines.

    order: of the names; lines of other names, which no run would write again, are left out.
    """
    new = {line[key] for line in lines}
    old = json.loads(path.read_text()) if path.is_file() else []
    at = {name: i for i, name in enumerate(order)}
    kept = [line for line in old if line[key] not in new and line[key] in at]
    out = sorted(kept + lines, key=lambda line: at[line[key]])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(out, indent=1) + "\n")
    return out


def put_between_marks(text: str, path: Path) -> None:
    """Replace what stands between the two marks of a page; the words around them are written by
    hand and stay. ValueError where a mark is missing."""
    page = path.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    path.write_text(page[:begin] + text + page[end:])


def mean(values: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)
