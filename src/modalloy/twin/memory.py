"""Memory that worker processes have filled of their own, with all that they started."""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from modalloy.machine.confined import memory_of

SEARCH_S = 0.5  # between two searches for processes that others have started


class GroupMemory:
    """Looks at process groups again and again. Searching all processes of a machine takes
    milliseconds, so it is done now and then, and only for runs that take that long.
    """

    def __init__(self) -> None:
        self.members: dict[int, list[int]] = {}
        self.searched = 0.0

    def held_bytes(self, busy_s: Mapping[int, float]) -> dict[int, int]:
        """Bytes that each group has filled, by its leader; 0 where the system does not tell.

        busy_s: for each leader how long its run has taken so far.
        """
        now = time.monotonic()
        if now - self.searched > SEARCH_S:
            long = [leader for leader, seconds in busy_s.items() if seconds > SEARCH_S]
            self.members, self.searched = (members_of(long) if long else {}), now
        return {
            leader: sum(memory_of(pid) or 0 for pid in {leader, *self.members.get(leader, ())})
            for leader in busy_s
        }


def members_of(leaders: Collection[int]) -> dict[int, list[int]]:
    """The processes of some groups, as far as the system tells."""
    found: dict[int, list[int]] = {leader: [] for leader in leaders}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if (leader := int(after_name[2])) in found:
            found[leader].append(int(place.name))
    return found
