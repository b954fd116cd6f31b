"""A task's decisions on the page: what they cost beside the simple policies, and by threshold."""

from collections.abc import Mapping
from typing import Any

from modalloy.judge.decided import COST, DECIDED
from modalloy.judge.report import Report
from modalloy.judge.wording import bounds, brief, fixed, say
from modalloy.report import charts
from modalloy.report.headline import say_count
from modalloy.report.html import Markup, data_uri, img, join, table, tag
from modalloy.report.lettering import shape_of

TITLE = "What its decisions cost"
ORDERS = "What its orders cost"


def decided_part(report: Report, task: str) -> Markup:
    """Realised cost of the decisions and of each simple policy, and the curve over thresholds."""
    found = report.decided[task]
    if "run" in found:
        return orders_part(found)
    rows = [policy_row(name, policy) for name, policy in found["policies"].items()]
    head = ("policy", "cost a row", "95 % interval", "what the decisions save beside it")
    parts = [tag("h3", TITLE), tag("p", say_decided(found), kind="quiet"), table(head, rows)]
    if found.get("curve"):
        parts.append(curve_part(found))
    return join(parts)


def policy_row(name: str, policy: Mapping[str, Any]) -> tuple[Any, ...]:
    """One policy: cost, interval, and what the decisions save."""
    shown = tag("b", name) if name == DECIDED else name
    return (shown, brief(policy[COST]), say_ends(policy), say_saved(policy.get("saves")))


def orders_part(found: Mapping[str, Any]) -> Markup:
    """Realised cost and fill rate of orders, beside usual methods."""
    rows = [
        (*policy_row(name, policy), say("accuracy", policy.get("fill")))
        for name, policy in found["policies"].items()
    ]
    cost = "cost an item and period" if found["run"] else "cost a row"
    head = ("policy", cost, "95 % interval", "what the orders save beside it", "served at once")
    parts = [tag("h3", ORDERS), tag("p", say_orders(found), kind="quiet"), table(head, rows)]
    return join(parts)


def say_orders(found: Mapping[str, Any]) -> str:
    """How orders are made, and what they met."""
    said = "Each row orders up to the amount of least expected cost. "
    if not found["run"]:
        return said + f"{say_count(found['rows'])} test rows each meet a stock of that amount."
    return (
        f"{said}A stock of {say_count(found['items'])} items was run over {found['periods']} "
        "periods of the test rows by each method, all with the same costs and lead time."
    )


def curve_part(found: Mapping[str, Any]) -> Markup:
    """Cost over the threshold, with the one that the costs choose."""
    curve, policies = found["curve"], found["policies"]
    chosen = found.get("threshold")
    data = charts.cost_curve(
        curve["threshold"], curve[COST], chosen, policies[DECIDED][COST], of=found["of"]
    )
    kind, width = shape_of(data)
    note = "The threshold comes from the costs alone: test rows chose nothing."
    body = img(data_uri(data, kind), f"{TITLE}, by threshold", width=width)
    return tag("figure", tag("h3", "Cost by threshold"), body, tag("figcaption", note))


def say_decided(found: Mapping[str, Any]) -> str:
    """How decisions are made, and how often each is."""
    shares = ", ".join(f"{d} {100 * s:.0f} %" for d, s in found["shares"].items())
    said = "Each row gets the decision of least expected cost. On "
    said += f"{say_count(found['rows'])} test rows: {shares}."
    if found.get("ranges"):
        of = [
            f"{r['decision']} from {fixed(r['low'], 3)} to {fixed(r['high'], 3)}"
            for r in found["ranges"]
        ]
        said += f" By the probability of '{found['of']}': {', '.join(of)}."
    return said


def say_ends(figures: Mapping[str, Any]) -> str:
    """`0.12 to 0.19`, a dash where there is no interval."""
    pair = bounds(figures, COST)
    return f"{brief(pair[0])} to {brief(pair[1])}" if pair else "–"


def say_saved(saved: Mapping[str, Any] | None) -> str:
    """`0.31 (0.22 to 0.40)`, a dash for the decisions themselves."""
    if not saved:
        return "–"
    pair = bounds({"interval": {COST: saved.get("interval")}}, COST)
    ends = f" ({brief(pair[0])} to {brief(pair[1])})" if pair else ""
    return f"{brief(saved['value'])}{ends}"
