"""How a task's answers are made: the network, what stands beside it, and how much say each has."""

from collections.abc import Iterator, Mapping
from typing import Any

from modalloy.judge.report import Report
from modalloy.judge.wording import figures_of, label, say
from modalloy.report.headline import say_count
from modalloy.report.html import Markup, join, table, tag

TITLE = "How the answer is made"
TOGETHER = "together"
SKIP = ("weight",)  # of a member: no figure


def made_of_part(report: Report, task: str) -> Markup:
    """The members with their weights and figures on held-back rows, as a table."""
    found = report.made_of[task]
    parts = [tag("h3", TITLE), tag("p", say_made_of(report, task), kind="quiet")]
    if found.get("members"):
        names = named(found)
        rows = [
            (tag("b", name) if name == TOGETHER else name, share, *values)
            for name, share, *values in member_rows(report, task)
        ]
        parts.append(table(("answer of", "its say", *map(label, names)), rows))
    return join(parts)


def say_made_of(report: Report, task: str) -> str:
    """Whether answers are blended, why, and what the figures below are of."""
    found = report.made_of[task]
    if not found.get("members"):
        return f"The network answers alone: {found['why']}."
    first = say_members(found) if found.get("blended") else "The network answers alone"
    rows = say_count(found.get("rows", 0))
    return (
        f"{first}: {found['why']}. Figures on {rows} held-back rows that none of these had learned "
        f"from; '{TOGETHER}' answers each with weights fitted without its part of them. Test rows "
        "chose nothing."
    )


def say_members(found: Mapping[str, Any]) -> str:
    """`62 % the network alone, 38 % gradient boosting on plain features`."""
    members = {n: m["weight"] for n, m in found["members"].items() if m["weight"]}
    order = sorted(members, key=lambda n: -members[n])
    return "Answers are " + ", ".join(f"{say_share(members[n])} {n}" for n in order)


def member_rows(report: Report, task: str) -> Iterator[tuple[str, ...]]:
    """Each member, its share of the answer, and its figures; at last those of all together."""
    found, unit = report.made_of[task], report.unit(task)
    names = named(found)
    for name, member in found["members"].items():
        share = say_share(member["weight"]) if found["blended"] and member["weight"] else "–"
        yield name, share, *(say(m, member.get(m), unit) for m in names)
    together = found["together"]
    yield TOGETHER, "", *(say(m, together.get(m), unit) for m in names)


def named(found: Mapping[str, Any]) -> list[str]:
    """Metrics of the table."""
    first = next(iter(found["members"].values()))
    return figures_of({k: v for k, v in first.items() if k not in SKIP})


def say_share(weight: float) -> str:
    """A weight in whole percent."""
    return f"{100 * weight:.0f} %"
