"""What benchmarks write: lines in a file of results, and tables between the marks of a page."""

import json
from collections.abc import Sequence
from pathlib import Path


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


def put_between_marks(text: str, path: Path, name: str = "figures") -> None:
    """Replace what stands between the two marks of this name on a page; the words around them are
    written by hand and stay. ValueError where a mark is missing."""
    page, mark = path.read_text(), f"<!-- {name} -->\n"
    begin, end = page.index(mark) + len(mark), page.index(f"<!-- /{name} -->\n")
    path.write_text(page[:begin] + text + page[end:])


def mean(values: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)
