"""Whether sets and intervals hold the truth as often as they promise."""

from scipy.stats import binom

from modalloy.drift.ks import Compared


def coverage_chance(held: int, rows: int, promised: float) -> Compared:
    """How much less often the truth was held than promised, and the chance of so few or fewer.

    Against the promise itself, not against what training rows showed: rows that were calibrated on
    hold it by construction.
    """
    if not rows:
        return Compared(0.0, 1.0)
    return Compared(held / rows - promised, float(binom.cdf(held, rows, promised)))
