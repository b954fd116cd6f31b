"""The states that a refresh goes through, and how far the last one got, by the records alone.

asked -> parted -> learned -> shadowed -> judged -> swapped -> kept | rolled back
             \\-> waiting  \\-> rejected        \\-> rejected
"""

from collections.abc import Sequence
from typing import NamedTuple

from modalloy.deployment.deployment import MADE, ROLLED_BACK, SWAPPED
from modalloy.deployment.history import Record

ASKED, PARTED, LEARNED, SHADOWED, JUDGED = "asked", "parted", "learned", "shadowed", "judged"
WAITING, REJECTED, KEPT, DRIFT = "waiting for labels", "rejected", "kept", "drift"


class Cycle(NamedTuple):
    """The records of one refresh: its own, in their order, `asked` first. done: it has ended."""

    records: Sequence[Record]
    done: bool

    def last(self, state: str) -> Record | None:
        """Its record of this state."""
        return next((r for r in reversed(self.records) if r.state == state), None)


def last_cycle(history: Sequence[Record]) -> Cycle | None:
    """The newest refresh; None where there was none."""
    starts = [at for at, record in enumerate(history) if record.state == ASKED]
    if not starts:
        return None
    own, challenger, done = [], None, False
    for record in history[starts[-1] :]:
        if done or record.state in (DRIFT, KEPT, ROLLED_BACK):
            continue
        if record.state == SWAPPED and record.facts["to"] != challenger:
            continue
        own.append(record)
        if record.state == LEARNED:
            challenger = record.facts["version"]
        done = record.state in (WAITING, REJECTED, SWAPPED)
    return Cycle(own, done)


def sides(history: Sequence[Record]) -> dict[str, str]:
    """Which units of rows are learned from and which judge, as earlier refreshes have decided."""
    found: dict[str, str] = {}
    for record in history:
        if record.state == PARTED:
            found |= record.facts["units"]
    return found


def unsettled_swap(history: Sequence[Record]) -> Record | None:
    """The switch by which the answering version came, where it is not settled yet that it stays.

    None for one that was rolled back to, was kept, or was there from the beginning.
    """
    for record in reversed(history):
        if record.state in (KEPT, ROLLED_BACK, MADE):
            return None
        if record.state == SWAPPED:
            return record
    return None


def rolled_back_since(history: Sequence[Record]) -> Record | None:
    """The way back from the last refresh; None where there was none since it was asked for."""
    for record in reversed(history):
        if record.state in (ASKED, ROLLED_BACK):
            return record if record.state == ROLLED_BACK else None
    return None
