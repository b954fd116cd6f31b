"""Numbers and times in the words of the page, the same in each of its languages."""

import math
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

LONGEST = 12  # places after the point


def num(x: Any, digits: int = 4) -> str:
    """So many digits that count, thousands apart; a dash for what is no number."""
    if x is None or not math.isfinite(x):
        return "–"
    if not x:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(x)))
    text = f"{round(x, places):,.{min(max(places, 0), LONGEST)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def percent(share: float) -> str:
    """A share with one place after the point where it has one."""
    text = f"{100 * share:.1f}"
    return f"{text.removesuffix('.0')}%"


def signed(x: float, unit: str = "") -> str:
    """Three digits with their sign."""
    return f"{'−' if x < 0 else '+'}{num(abs(x), 3)} {unit}".strip()


def when(seconds: float) -> Markup:
    """A time since 1970; scripts of the page write it as the browser's place has it."""
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(), at.strftime("%Y-%m-%d %H:%M UTC")
    )
