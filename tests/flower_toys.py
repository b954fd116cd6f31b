"""Toy ends of a federation: sites that add their number to what they are sent, servers that sum."""

import json
import os
import time
from pathlib import Path

from modalloy.errors import FederationError
from modalloy.federation.flower.sites import GridSites


class Adder:
    """A site that adds its own number, and says how many messages it has answered."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0

    def answer(self, data: bytes) -> bytes:
        self.count += 1
        return json.dumps({"sum": json.loads(data)["sum"] + self.number, "n": self.count}).encode()


class Broken:
    """A site that fails at each message, and whose error quotes a row."""

    def answer(self, data: bytes) -> bytes:
        raise ValueError("row 3 holds 'J. Smith'")


class KeptAdder(Adder):
    """An adder whose count is kept in its folder.

    It says by a file that a message is there, and answers only once no file holds it back.
    """

    def __init__(self, number: int, folder: Path) -> None:
        super().__init__(number)
        self.folder = folder
        self.count = int((folder / "count").read_text()) if (folder / "count").exists() else 0

    def answer(self, data: bytes) -> bytes:
        asked = self.folder / f"asked-{self.count}"
        asked.with_suffix(".partial").write_text(str(os.getpid()))
        asked.with_suffix(".partial").rename(asked)
        while (self.folder / f"hold-{self.count}").exists():
            time.sleep(0.05)
        answer = super().answer(data)
        (self.folder / "count").write_text(str(self.count))
        return answer


def adder(arguments: dict[str, str]) -> KeptAdder:
    """A site of another process."""
    return KeptAdder(int(arguments["number"]), Path(arguments["folder"]))


def one_round(sites: GridSites, total: int, *, deadline_s: float | None = None) -> int:
    """Every site that is there adds its number to a total; the sum of what they answer."""
    asked = dict.fromkeys(sites.names(), json.dumps({"sum": total}).encode())
    answers = sites.ask(asked, deadline_s=deadline_s)
    return sum(json.loads(data)["sum"] for data in answers.values())


def summing(sites: GridSites, arguments: dict[str, str]) -> None:
    """A server of another process: rounds of a sum; writes the totals, and who was absent.

    After the first round a site has three times as long as that one took.
    """
    told: dict[str, list] = {"totals": [], "absent": [], "seconds": []}
    total, deadline_s = 0, None
    for _ in range(int(arguments["rounds"])):
        start = time.monotonic()
        total = one_round(sites, total, deadline_s=deadline_s)
        told["totals"].append(total)
        told["absent"].append(sites.reasons)
        told["seconds"].append(time.monotonic() - start)
        deadline_s = 3 * told["seconds"][0]
    Path(arguments["out"]).write_text(json.dumps(told))


def failing(sites: GridSites, arguments: dict[str, str]) -> None:
    """A server of another process that fails, in our words."""
    raise FederationError("site A and B measure load in kN and N.")
