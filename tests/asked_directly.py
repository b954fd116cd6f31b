"""A server's shortest way to sites of this process, whatever they are: one after the other."""

from collections.abc import Callable, Mapping
from typing import Any


class Direct:
    """Sites asked in this process; `seen` holds all that travelled.

    lost: sites that answer no more. change: what becomes of an answer on its way.
    """

    def __init__(self, sites: Mapping[str, Any]) -> None:
        self.sites = dict(sites)
        self.lost: set[str] = set()
        self.reasons: dict[str, str] = {}
        self.seen: list[bytes] = []
        self.change: Callable[[str, bytes], bytes] = lambda site, data: data

    def names(self) -> list[str]:
        return sorted(self.sites)

    def ask(self, asked: Mapping[str, bytes], *, deadline_s: float | None) -> dict[str, bytes]:
        found, self.reasons = {}, {}
        for site, data in asked.items():
            if site in self.lost:
                self.reasons[site] = "it is gone"
                continue
            try:
                found[site] = self.change(site, self.sites[site].answer(data))
            except Exception as error:
                self.reasons[site] = str(error)
            self.seen += [data, found.get(site, b"")]
        return found
