"""How a server reaches its sites, whatever carries the bytes."""

from collections.abc import Mapping
from typing import Protocol


class Sites(Protocol):
    """How a server reaches its sites. reasons: why sites did not answer the last call."""

    reasons: dict[str, str]

    def names(self) -> list[str]:
        """Sites that have joined, sorted."""
        ...

    def ask(self, asked: Mapping[str, bytes], *, deadline_s: float | None) -> dict[str, bytes]:
        """Send each site its message; the answers that came in time. A late answer of an earlier
        call may be handed in under its name by the next one."""
        ...
