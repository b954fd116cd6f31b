"""Changes in a window whose rows have times: each number, and how sure answers are, is a stream.

A test of the whole window finds little of what began in its last rows; ADWIN does (inputs, either
way), and so does Page-Hinkley (answers that become less sure).
"""

import math

import numpy as np

from modalloy.drift.adwin import alarms
from modalloy.drift.page_hinkley import rises
from modalloy.drift.sketch import Sketch
from modalloy.observing.reference import Reference
from modalloy.observing.seen import Seen
from modalloy.watching.comparisons import Comparison, away

LEVEL = 0.01  # chance of any alarm by streams in a window that has not drifted


def streams_of(reference: Reference, seen: Seen) -> list[Comparison]:
    """A test for each stream that changes; rows of `seen` are in the order of their times.

    Streams are ranks among training rows, from 0 to 1, so that none of them has outliers. `LEVEL`
    is divided among all streams. ADWIN's bound is looser by far than its looks are many.
    """
    numbers = [f for f in seen.numbers if f in reference.numbers]
    tasks = [t for t in seen.said if t in reference.said]
    share = LEVEL / max(len(numbers) + len(tasks), 1)
    found = []
    for feature in numbers:
        sketch = reference.numbers[feature].own
        rank_B = sketch.rank(seen.numbers[feature])
        known = np.flatnonzero(np.isfinite(rank_B))
        if len(known) and alarms(rank_B[known], delta=share):
            score_B = away(sketch, seen.numbers[feature])
            size = float(np.nanmean(rank_B) - 0.5)
            found.append(Comparison(feature.column, feature.of, "number", size, share, score_B))
    for task in tasks:
        old, new = reference.said[task].sure_B, seen.said[task].sure_B
        if np.isfinite(old).any() and np.isfinite(new).all():
            doubt_B = 1.0 - Sketch.of(old).rank(new)
            if rises(doubt_B, slack=SLACK, limit=limit_of(share, len(new))):
                size = float(np.nanmean(new) - np.nanmean(old))
                found.append(Comparison(task, "confidence", "sure", size, share, -new))
    return found


SLACK = 0.1  # of all ranks: a rise by less than twice as much is let pass


def limit_of(share: float, rows: int) -> float:
    """The sum that even ranks pass by chance at one of so many rows with no more than `share`.

    Ranks have a variance of 1/12; the chance that a sum with drift -SLACK ever rises so far is at
    most exp(-2 SLACK limit / variance) (Lundberg's bound), and it may begin at every row.
    """
    return math.log(rows / share) / (2.0 * SLACK * 12.0)
