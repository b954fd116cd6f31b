"""What rows have bought of what they could, and what that saves: counts for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.buying import Bought
from modalloy.policy.plan import Plan

BETWEEN = " | "  # names of columns in one cell


def names_bought(found: Bought) -> list[str]:
    """What each row has bought, in words."""
    names = list(found.bought)
    bought_BM = np.stack([found.bought[n] for n in names], axis=1)
    return [BETWEEN.join(n for n, b in zip(names, row, strict=True) if b) for row in bought_BM]


def saved_by(plan: Plan, found: Bought, rows: int) -> dict[str, Any]:
    """Of the first so many rows: cells that were bought and that were there by input, and the mean
    cost of a row as it was and with every cell bought, in `unit`; as JSON.
    """
    bought = {n: int(b[:rows].sum()) for n, b in found.bought.items()}
    there = {n: int(t[:rows].sum()) for n, t in found.there.items()}
    return _saved(plan, bought, there, rows)


def saved_together(plan: Plan, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `saved_by` says of all rows, from what it says of some at a time."""
    names = parts[0]["bought"]
    bought, there = (
        {n: sum(p[key][n] for p in parts) for n in names} for key in ("bought", "there")
    )
    return _saved(plan, bought, there, sum(p["rows"] for p in parts))


def _saved(
    plan: Plan, bought: Mapping[str, int], there: Mapping[str, int], rows: int
) -> dict[str, Any]:
    def mean_cost(cells: Mapping[str, int]) -> float:
        return sum(plan.costs[n] * count for n, count in cells.items()) / max(1, rows)

    return {
        "rows": rows,
        "bought": bought,
        "there": there,
        "cost": mean_cost(bought),
        "full": mean_cost(there),
        "unit": plan.unit,
    }


def say_saved(saved: Mapping[str, Any]) -> str:
    """One line for a terminal."""
    bought, there = saved["bought"], saved["there"]
    each = ", ".join(f"{n} {bought[n]} of {there[n]}" for n in bought)
    unit = f" {saved['unit']}" if saved["unit"] else ""
    less = 1.0 - saved["cost"] / saved["full"] if saved["full"] else 0.0
    return (
        f"bought {sum(bought.values())} of {sum(there.values())} cells ({each}): a row cost "
        f"{saved['cost']:.3g} of {saved['full']:.3g}{unit}, {100 * less:.0f} % less"
    )
