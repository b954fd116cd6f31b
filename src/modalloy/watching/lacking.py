"""How many labels a refresh lacks, and whose."""

from collections import Counter
from collections.abc import Mapping, Sequence

from modalloy.job import config
from modalloy.watching.labelled import JUDGE, LEARN
from modalloy.watching.paired import FEWEST


def lacks(counts: Mapping[str, int], plan: config.Refresh) -> int:
    """How many more labelled rows are needed on both sides together."""
    return max(0, plan.learn - counts[LEARN]) + max(0, plan.judge - counts[JUDGE])


def lacks_others(sources: Sequence[str], plan: config.Refresh) -> tuple[str, int]:
    """Who labelled most of the rows that judge, and how many more others must label, at least.

    One source alone can say anything of rows that nobody else has seen: what it says wrong is
    learned, and judged right by its own labels. So it lacks others too, unless the plan trusts it.
    """
    (most, size), *_ = Counter(sources).most_common() or [("", 0)]
    alone = not sources or most in plan.trust
    return most, 0 if alone else max(0, FEWEST - (len(sources) - size))
