"""Which columns and channels have gone wrong: they are beyond all that training saw, row after row,
and are hidden from then on.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import View
from modalloy.unlike.likeness import Likeness

# Share of rows in which a column is beyond all that training saw, from which it is hidden.
MOST_ROWS = 0.5


class Gate(NamedTuple):
    """Columns that are hidden, channels of series by their names, and a sentence on each."""

    columns: list[str]
    channels: list[str]
    said: Mapping[str, str]


def gate(
    likeness: Likeness | None,
    view: View,
    dead: Sequence[str],
    columns: Sequence[str],
    channels: Mapping[str, Sequence[str]],
) -> Gate:
    """What to hide of rows seen so. dead: names of numbers and channels with one value in all rows.
    columns: those of the job that may be hidden. channels: of each series among them.

    Without a likeness only the dead are known. A series of which every channel went wrong is hidden
    as a whole. At least one column stays.
    """
    wrong = {name: "has one value in all rows, which training never saw" for name in dead}
    wrong |= {n: said for n, said in beyond(likeness, view).items() if n not in wrong}
    gone = {name for name, own in channels.items() if own and wrong.keys() >= {*own}}
    wrong |= dict.fromkeys(gone - wrong.keys(), "has no channel that is as in training")
    hidden = [n for n in wrong if n in columns]
    if len(hidden) >= len(columns):
        hidden = []
    alone = [n for name, own in channels.items() if name not in gone for n in own if n in wrong]
    said = {n: f"{n} {why}, and is hidden from now on" for n, why in wrong.items()}
    return Gate(hidden, alone, said)


def beyond(likeness: Likeness | None, view: View) -> Mapping[str, str]:
    """Columns and channels that are beyond all that training saw in most rows that have them."""
    if likeness is None:
        return {}
    score_BS = likeness.scores(view)[:, :-1]
    found = {}
    for s, name in enumerate(likeness.columns):
        own_B = score_BS[np.isfinite(score_BS[:, s]), s]
        share = float((own_B > likeness.limit).mean()) if len(own_B) else 0.0
        if share > MOST_ROWS:
            found[name] = f"is unlike anything that training saw in {100 * share:.0f} % of the rows"
    return found
