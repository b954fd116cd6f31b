"""What so many rows can rule out, however well a change did on them.

Rows drawn anew from rows of which none has changed say that nothing ever changes, be they five or
five thousand. Beside such an interval stands an exact one: of n rows of which k lose, the share
that loses among all rows is below the upper Clopper-Pearson bound with 95 % certainty (1934; for
k = 0 the rule of three, 3 / n). The larger of both holds in at least 94 % of simulated cases of 30
to 2000 rows, the interval of rows drawn anew alone in hardly any where losses are rare.
"""

import math
from typing import NamedTuple

import numpy as np

from modalloy.answer.agreement.agreement import Agreement
from modalloy.answer.answers import Answer
from modalloy.answer.golden_rows import Verdict
from modalloy.graphs.branch import Precision

CERTAIN = 0.95
STATED = ("probability", "word_confidence", "scores")  # how sure an answer says that it is
HALF = ("bf16", "f16")


class Few(NamedTuple):
    """How much the rows of one task can say. rows: whose right answer is known. share: of all rows
    that may be lost, for all that so many can tell of a change that lost none of them. moved: how
    far any stated certainty moved. rests: the promise rests on that, and not on the count of rows.
    """

    rows: int
    share: float
    moved: float
    rests: bool


def upper(rows: int, lost: int = 0) -> float:
    """The share that may be lost among all rows where so many of these were, 95 % certain."""
    if lost >= rows:
        return 1.0
    if lost <= 0:
        return 1.0 - (1.0 - CERTAIN) ** (1.0 / rows)
    from scipy.stats import beta  # half a second that other verbs never need

    return float(beta.ppf(CERTAIN, lost + 1, rows - lost))


def enough(share: float) -> int | None:
    """Rows that rule out a loss of this share where none of them is lost; None for no loss at all,
    which no count of rows rules out.
    """
    if share <= 0.0:
        return None
    return 1 if share >= 1.0 else math.ceil(math.log(1.0 - CERTAIN) / math.log1p(-share))


def moved(before: Answer, after: Answer) -> float:
    """How far the stated certainties of the same rows are apart at most; infinite where the answers
    have not as many. Answers that state none, such as numbers, are 0 apart: what is the same
    decision bounds their difference already.
    """
    far = [apart(before[key], after[key]) for key in STATED if key in before]
    return max(far, default=0.0)


def apart(x: np.ndarray, y: np.ndarray) -> float:
    """The largest difference of two arrays of numbers, or of lists of them."""
    if x.dtype.kind != "O":
        return largest(x, y)
    return max(
        (largest(np.asarray(a), np.asarray(b)) for a, b in zip(x, y, strict=True)), default=0
    )


def largest(x: np.ndarray, y: np.ndarray) -> float:
    """The largest difference of two arrays of numbers; infinite where one has others or a NaN."""
    if x.shape != y.shape:
        return math.inf
    far = np.abs(x.astype(np.float64) - y.astype(np.float64))
    most = float(far.max(initial=0.0))
    return math.inf if math.isnan(most) else most


def rests_on_outputs(
    precision: Precision | None, agreement: Agreement, alike: Verdict, far: float
) -> bool:
    """Whether so few rows matter that the outputs themselves are enough: numbers of 16 bits and
    more err alike everywhere, by the rounding of their digits. Numbers of 8 bits and smaller nets
    may fail on a row that no other is like, so for these the count of rows holds.

    precision: the coarsest of what computes; None for a smaller network.
    """
    if far > agreement.bound:
        return False
    if precision == "f32":
        return alike.worst <= alike.bound
    return precision in HALF and bool(alike.compared.same_B.all())
