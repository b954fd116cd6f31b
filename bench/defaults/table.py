"""Lines of the board in, the page's tables out: what is reached, every figure, what is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.defaults.case import Case
from bench.defaults.goals import counted

FIGURES = (
    "case | task | metric | as `init` prints it | 95 % interval | compared with | points ahead"
    " | best simple method | points ahead | calibration error | seconds | CPU seconds | good enough"
)


def page(lines: Sequence[Mapping[str, Any]], cases: Mapping[str, Case]) -> str:
    """Everything that stands between the marks of docs/defaults.md."""
    edits = "".join(
        f"- {case}: {'; '.join(f'`{e}`' for e in line['edits'])}\n"
        for case, line in {x["case"]: x for x in lines if x.get("edits")}.items()
    )
    return "\n".join(
        [
            "",
            f"{len({x['case'] for x in lines})} of {len(cases)} cases have been run.",
            "",
            goals_table(lines),
            rows(FIGURES, [figures(line) for line in lines]),
            "Lines that no table tells, written into the printed jobs by hand:",
            "",
            edits or "- none\n",
            rows("case | kind | what `init` must get right", [asked(c) for c in cases.values()]),
        ]
    )


def goals_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """What is asked of all lines together, and what was found."""
    found = [(c.what, c.goal, c.found, "yes" if c.reached else "**no**") for c in counted(lines)]
    return rows("what | goal | found | reached", found)


def figures(line: Mapping[str, Any]) -> Sequence[str]:
    """The cells of one line."""
    begin = (line["case"], line["task"], line["metric"])
    if "failed" in line:
        return *begin, f"failed: {line['failed'][:200]}", *[""] * 8, "**no**"
    low, high = line["interval"]
    value = line["value"]
    anchor = "" if line["anchor"] is None else f"{line['anchor']:.3f} ({line['anchor_of']})"
    best = "" if line["best_value"] is None else f"{line['best_value']:.3f} ({line['best_method']})"
    error = line["calibration_error"]
    return (
        *begin,
        f"**{value:.3f}**",
        f"{low:.3f} to {high:.3f}",
        anchor,
        signed(line["to_anchor"]),
        best,
        signed(line["to_best"]),
        "" if error is None else f"{error:.3f}",
        f"{line['seconds']:.0f}",
        f"{line['cpu_seconds']:.0f}",
        "yes" if line["reached"] else "**no**",
    )


def asked(case: Case) -> Sequence[str]:
    """What one case asks."""
    return case.name, case.kind, case.asks


def signed(value: float | None) -> str:
    """A number of points with its sign."""
    return "" if value is None else f"{value:+.1f}"


def rows(head: str, cells: Sequence[Sequence[str]]) -> str:
    """A Markdown table, with an empty line after it."""
    names = head.split(" | ")
    lines = [f"| {head} |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(c.replace("|", "/") for c in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"
