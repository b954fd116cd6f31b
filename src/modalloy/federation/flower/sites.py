"""The sites behind a Flower grid: who has joined, and what each answers within a deadline."""

import logging
import time
from collections.abc import Iterable, Mapping

from flwr.app import Message
from flwr.serverapp import Grid

from modalloy.errors import FederationError
from modalloy.federation.flower.apps import ANSWER, FAREWELL, GREET
from modalloy.federation.flower.records import carried, carry, said, say

log = logging.getLogger("modalloy.federation")

LOOK_S = 5.0  # between two looks at who is still there
TTL_S = 7 * 24 * 3600.0  # of a message: longer than any deadline
FAREWELL_S = 30.0
LATE = "its answer has not come in time"


class GridSites:
    """Sites reached over a Flower grid, each by the name that it gave when it joined.

    A site that still owes the answer to an earlier message is not asked anew; what it owes is
    handed in under its name when it comes, whichever messages were asked since.
    """

    reasons: dict[str, str]
    """Why each site that did not answer the last call is absent."""

    def __init__(self, grid: Grid, *, poll_s: float = 0.5) -> None:
        """poll_s: between two looks for answers."""
        self.reasons = {}
        self._grid, self._poll_s = grid, poll_s
        self._joined: dict[str, tuple[int, str]] = {}  # name -> its node, its own mark
        self._greeted: dict[int, str] = {}  # node -> the message that greeted it
        self._owed: dict[str, str] = {}  # name -> the message that it has not answered

    def names(self) -> list[str]:
        """Sites that have joined and are there, sorted."""
        self._look()
        return sorted(self._joined)

    def wait(self, count: int, *, timeout_s: float) -> None:
        """Wait until a number of sites has joined; FederationError where they do not in time."""
        end = time.monotonic() + timeout_s
        while len(names := self.names()) < count:
            if time.monotonic() >= end:
                raise FederationError(
                    f"{len(names)} of {count} sites have joined within {timeout_s:g} s"
                    f"{', '.join(['', *names])}; start the others, or ask for fewer."
                )
            time.sleep(self._poll_s)

    def ask(self, asked: Mapping[str, bytes], *, deadline_s: float | None) -> dict[str, bytes]:
        """Send each site its message; the answers that came in time, late ones of before included.

        deadline_s: None waits until each has answered or is gone, be it an answer of before. With
        a deadline nobody waits for a site that owes one, unless all do. A site that is gone, or
        fails, is absent; `reasons` says why.
        """
        self._look()
        self.reasons = {}
        sent = self._send(asked)
        sent = set(asked) if deadline_s is None else sent or set(asked)
        answers: dict[str, bytes] = {}
        end = None if deadline_s is None else time.monotonic() + deadline_s
        look = time.monotonic() + LOOK_S
        while True:
            answers |= self._collect()
            now = time.monotonic()
            if not sent & set(self._owed) or (end is not None and now >= end):
                break
            if now >= look:
                self._look()
                look = now + LOOK_S
            time.sleep(self._poll_s if end is None else min(self._poll_s, end - now))
        self.reasons |= {name: LATE for name in asked if name in self._owed}
        for name in sorted(self.reasons):
            log.info("site %s is absent: %s", name, self.reasons[name])
        return answers

    def farewell(self, failed: str = "") -> None:
        """Tell every site that the federation has ended, and why it failed if it did.

        Nobody waits for a site that owes an answer: it is busy, or dead.
        """
        names, text = sorted(self._joined), say({"failed": failed})
        numbers = self._push([(self._joined[name][0], FAREWELL, text) for name in names])
        left = {each for name, each in zip(names, numbers, strict=True) if name not in self._owed}
        end = time.monotonic() + FAREWELL_S
        while left and time.monotonic() < end:
            left -= {reply.metadata.reply_to_message_id for reply in self._grid.pull_messages(left)}
            if left:
                time.sleep(self._poll_s)

    def _push(self, wanted: Iterable[tuple]) -> list[str]:
        """Send messages of a node, a kind and a record; their numbers in the same order."""
        messages = [Message(content, node, kind, ttl=TTL_S) for node, kind, content in wanted]
        numbers = list(self._grid.push_messages(messages)) if messages else []
        if len(numbers) != len(messages) or not all(numbers):
            raise FederationError("Flower took no message from the server; its log says why.")
        return numbers

    def _send(self, asked: Mapping[str, bytes]) -> set[str]:
        """Send each site that owes nothing its message; which ones."""
        sent = set()
        for name, data in asked.items():
            if name not in self._joined:
                self.reasons[name] = "it has not joined, or is gone"
            elif name not in self._owed:
                (self._owed[name],) = self._push([(self._joined[name][0], ANSWER, carry(data))])
                sent.add(name)
        return sent

    def _collect(self) -> dict[str, bytes]:
        """The answers that have come to what is owed; failures go to `reasons`."""
        if not self._owed:
            return {}
        names = {number: name for name, number in self._owed.items()}
        answers = {}
        for reply in self._grid.pull_messages(list(names)):
            name = names[reply.metadata.reply_to_message_id]
            del self._owed[name]
            if reply.has_error():
                self.reasons[name] = reply.error.reason or "its answer was lost"
            elif (failed := said(reply.content).get("failed")) is not None:
                self.reasons[name] = str(failed)
            else:
                answers[name] = carried(reply.content)
        return answers

    def _look(self) -> None:
        """Greet nodes that are new, take in what they say, forget those that are gone."""
        there = {node.node_id: node.name for node in self._grid.get_nodes()}
        for name in [name for name, (node, _) in self._joined.items() if node not in there]:
            self._forget(name, "it is gone")
        self._greeted = {node: each for node, each in self._greeted.items() if node in there}
        new = sorted(set(there) - set(self._greeted))
        numbers = self._push([(node, GREET, say({})) for node in new])
        self._greeted |= dict(zip(new, numbers, strict=True))
        joined = {node for node, _ in self._joined.values()}
        waiting = {each: node for node, each in self._greeted.items() if node not in joined}
        for reply in self._grid.pull_messages(list(waiting)) if waiting else ():
            node = waiting[reply.metadata.reply_to_message_id]
            if not reply.has_error():
                facts = said(reply.content)
                self._welcome(node, there[node] or str(facts["name"]), str(facts["mark"]))

    def _welcome(self, node: int, name: str, mark: str) -> None:
        """A node under its site's name; one whose name another site bears is sent away.

        name: the one that its key is registered under, else what it says. mark: its own.
        """
        if name in self._joined and self._joined[name][1] != mark:
            log.warning("another site named %s was sent away", name)
            text = f"another site named {name} has joined before; give this one another name."
            self._push([(node, FAREWELL, say({"failed": text}))])
            return
        if name in self._joined:
            self._forget(name, "it has started again")
        self._joined[name] = (node, mark)
        log.info("site %s has joined", name)

    def _forget(self, name: str, why: str) -> None:
        del self._joined[name]
        if self._owed.pop(name, None) is not None:
            self.reasons[name] = why
