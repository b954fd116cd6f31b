"""Toy ends of a federation: sites that add their number to what they are sent, a server that sums."""

import json
import os
import time
from pathlib import Path

from modalloy.federation.flower.sites import GridSites


class Adder:
    """A site that adds its own number, and counts its answers in a file of its folder."""

    def __init__(self, number: int, folder: Path | None = None) -> None:
        self.number, self.folder, self.count = number, folder, 0

    def answer(self, data: bytes) -> bytes:
        self.count += 1
        return json.dumps({"sum": json.loads(data)["sum"] + self.number, "count": self.count}).encode()


class Broken:
    """A site that fails at each message."""

    def answer(self, data: bytes) -> bytes:
        raise ValueError("row 3 holds 'J. Smith'")


def sums(sites: GridSites, rounds: int, *, deadline_s: float | None = None) -> list[int]:
    """Rounds of a sum: each asks every site that is there."""
    total, totals = 0, []
    for _ in range(rounds):
        ask = json.dumps({"sum": total}).encode()
        answers = sites.ask(dict.fromkeys(sites.names(), ask), deadline_s=deadline_s)
        total = sum(json.loads(data)["sum"] for data in answers.values())
        totals.append(total)
    return totals


def adder(arguments: dict[str, str]) -> Adder:
    """A site of another process: its number and folder are arguments."""
    return KeptAdder(int(arguments["number"]), Path(arguments["folder"]))


class KeptAdder(Adder):
    """An adder whose count is kept in its folder; it says when a message is there."""

    def answer(self, data: bytes) -> bytes:
        kept = self.folder / "count"
        self.count = int(kept.read_text()) if kept.exists() else 0
        (self.folder / f"asked-{self.count}").write_text(str(os.getpid()))
        while (self.folder / f"hold-{self.count}").exists():
            time.sleep(0.05)
        answer = super().answer(data)
        kept.write_text(str(self.count))
        return answer


def summing(sites: GridSites, arguments: dict[str, str]) -> None:
    """A server of another process: writes the sums and who was absent."""
    totals, absent, seconds = [], [], []
    total = 0
    for _ in range(int(arguments["rounds"])):
        start = time.monotonic()
        ask = json.dumps({"sum": total}).encode()
        answers = sites.ask(
            dict.fromkeys(sites.names(), ask), deadline_s=float(arguments["deadline_s"])
        )
        total = sum(json.loads(data)["sum"] for data in answers.values())
        totals.append(total)
        absent.append(sites.reasons)
        seconds.append(time.monotonic() - start)
    told = {"totals": totals, "absent": absent, "names": sites.names(), "seconds": seconds}
    Path(arguments["out"]).write_text(json.dumps(told))
