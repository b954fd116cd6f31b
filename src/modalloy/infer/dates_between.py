"""Dates that follow another date within days, as a delivery follows its order: `since` is written.

Each date alone says when in the year it is; how long lies between two would have to be made of
trends over years, in which some days are little.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from modalloy.checks.column_profile import counted
from modalloy.checks.exact_leakage import all_days
from modalloy.infer.guessed import Guess
from modalloy.table.table import Table

ENOUGH = 20  # rows with both dates
SHARE = 0.5  # of the rows with the later date that have the earlier one too, at least
ORDERED = 0.95  # of these rows in which the one is not before the other
NARROW = 0.25  # widest that the days between may spread, as a share of how the dates themselves do


def with_days_between(table: Table, guesses: Mapping[str, Guess]) -> dict[str, Guess]:
    """Each date that mostly follows another one closely also sees the days since that one.

    Of several it is the one to which the days spread least.
    """
    dates = [c for c, g in guesses.items() if g.type == "time" and c in table.columns]
    days = {c: all_days(table.cells(c)) for c in dates}
    out = dict(guesses)
    for later in dates:
        pairs = {c: gap for c in dates if c != later and (gap := between(days[later], days[c]))}
        if not pairs:
            continue
        earlier = min(pairs, key=lambda c: pairs[c][1] - pairs[c][0])
        low, high = pairs[earlier]
        told = f"usually {counted(round(low))} to {counted(round(high))} days after '{earlier}'"
        found = out[later]
        out[later] = replace(
            found,
            reason=f"{found.reason}; {told}",
            options={**found.options, "since": earlier},
        )
    return out


def between(later: np.ndarray, earlier: np.ndarray) -> tuple[float, float] | None:
    """The middle nine tenths of the days between two dates, None where they are not bounded."""
    both = np.isfinite(later) & np.isfinite(earlier)
    if both.sum() < max(ENOUGH, SHARE * np.isfinite(later).sum()):
        return None
    gaps = later[both] - earlier[both]
    low, high = np.quantile(gaps, [0.05, 0.95])
    first, last = np.quantile(later[both], [0.05, 0.95])
    if (gaps >= 0).mean() < ORDERED or not 0 < high - low <= NARROW * (last - first):
        return None
    return float(max(low, 0.0)), float(high)
