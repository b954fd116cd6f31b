"""Learn then Test: which operating points surely lose no more than was allowed (Angelopoulos et al.
2021, arXiv 2110.01052).
"""

from collections.abc import Sequence
from math import ceil, log, log1p
from typing import Any, NamedTuple

from scipy.stats import binom

from modalloy.errors import JobError, TableError


class Asked(NamedTuple):
    """What is promised: with probability `sure`, at most a share `alpha` of decisions is worse."""

    alpha: float = 0.02
    sure: float = 0.9

    def check(self) -> None:
        """JobError for shares that promise nothing."""
        if not 0.0 < self.alpha < 1.0:
            raise JobError(f"alpha: {self.alpha:g} is no share between 0 and 1, such as 0.02.")
        if not 0.5 <= self.sure < 1.0:
            raise JobError(f"sure: {self.sure:g} is no probability from 0.5 to below 1.")


def chance(worse: int, rows: int, alpha: float) -> float:
    """How likely so few worse decisions, or fewer, would be if truly a share alpha were: the exact
    p-value of the binomial test of "more than alpha are worse"."""
    return float(binom.cdf(worse, rows, alpha))


def most_worse(rows: int, asked: Asked) -> int:
    """How many worse decisions among so many rows certify; -1 where not even none does."""
    worse = -1
    while worse < rows and chance(worse + 1, rows, asked.alpha) <= 1.0 - asked.sure:
        worse += 1
    return worse


def fewest_rows(asked: Asked) -> int:
    """Rows without which not even a single worse decision could be excluded."""
    rows = max(1, ceil(log(1.0 - asked.sure) / log1p(-asked.alpha)))
    while most_worse(rows, asked) < 0:
        rows += 1
    return rows


def refuse_few(rows: int, asked: Asked, where: str) -> None:
    """TableError where rows are too few for a certificate, with how many are needed."""
    need = fewest_rows(asked)
    if rows >= need:
        return
    raise TableError(
        f'{where}: {rows} rows with an answer are kept for the certificate, and "at most '
        f'{100 * asked.alpha:g} % more wrong decisions, with {100 * asked.sure:g} % probability" '
        f"needs at least {need}, even if none of them is worse (300 rows may show "
        f"{max(0, most_worse(300, asked))} worse ones, 1,000 rows {most_worse(1000, asked)}); give "
        "a table with more labelled rows, or ask for a larger --alpha."
    )


def passed(worse: Sequence[int], rows: int, asked: Asked) -> int:
    """How many points of a fixed sequence are certified: each is tested at the whole level, and the
    first one that fails ends it.

    The order must not come from these rows. Then the chance that any certified point truly loses
    more than alpha is at most 1 - sure, however long the sequence is.
    """
    for count, own in enumerate(worse):
        if chance(own, rows, asked.alpha) > 1.0 - asked.sure:
            return count
    return len(worse)


def said(asked: Asked, worse: int, rows: int) -> dict[str, Any]:
    """The certificate as a run keeps it."""
    return {
        "alpha": asked.alpha,
        "sure": asked.sure,
        "rows": rows,
        "worse": worse,
        "allowed": most_worse(rows, asked),
        "p": chance(worse, rows, asked.alpha),
    }
