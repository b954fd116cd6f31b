"""A federation in this process: a Flower grid whose nodes are objects, without Ray or a network.

The same messages, apps and bookkeeping as between machines. What a run yields depends on its
messages alone: sites are asked in the order of their names, and no clock decides what is late.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from modalloy.federation.flower import internals
from modalloy.federation.flower.apps import Site, site_app
from modalloy.federation.flower.sites import GridSites

LOST = "its answer was lost on the way"
UNKNOWN = 0  # Flower's code of an error without a code of its own


class InProcessGrid(Grid):
    """A Flower grid over apps in this process: a message is answered when it is pushed.

    delay: of a node's answer, counted in later pulls of messages; None loses it.
    """

    def __init__(
        self,
        apps: Mapping[int, ClientApp],
        *,
        threads: int = 1,
        delay: Callable[[int], int | None] = lambda node: 0,
    ) -> None:
        internals.check_version()
        internals.identify_server()
        self._apps, self._threads, self._delay = dict(apps), threads, delay
        self._state = {node: RecordDict() for node in self._apps}
        self._replies: dict[str, tuple[int, Message]] = {}  # asked -> the pull that it is due at
        self._pushed = self._pulls = 0

    def set_run(self, run: Any) -> None:
        """There is one run; nothing to set."""

    @property
    def run(self) -> Any:
        """The only run."""
        return internals.empty_run()

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to a node, as Flower's older strategies make them."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Every node; none of them leaves."""
        return list(self._apps)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Have messages answered, one after the other or in threads; their numbers."""
        messages = list(messages)
        numbers = [str(self._pushed + each) for each in range(len(messages))]
        self._pushed += len(messages)
        for number, message in zip(numbers, messages, strict=True):
            internals.set_number(message, number)
        if self._threads == 1:
            replies = [self._answered(message) for message in messages]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                replies = list(pool.map(self._answered, messages))
        for number, message, reply in zip(numbers, messages, replies, strict=True):
            late = self._delay(message.metadata.dst_node_id)
            if late is None:
                late, reply = 0, Message(Error(UNKNOWN, LOST), reply_to=message)
            self._replies[number] = (self._pulls + 1 + late, reply)
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The answers that are due, in the order of the numbers asked for."""
        self._pulls += 1
        due = [
            number
            for number in message_ids
            if number in self._replies and self._replies[number][0] <= self._pulls
        ]
        return [self._replies.pop(number)[1] for number in due]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Messages answered, in their order; those that are late or lost are absent."""
        return self.pull_messages(self.push_messages(messages))

    def _answered(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        context = Context(
            run_id=internals.RUN,
            node_id=node,
            node_config={},
            state=self._state[node],
            run_config={},
        )
        try:
            return self._apps[node](message, context)
        except Exception as error:
            return Message(Error(UNKNOWN, describe(error)), reply_to=message)


class InProcessSites(GridSites):
    """Sites that are objects of this process.

    arrival: for a site's name and the number of the call that asks it, from 0: by how many calls
    its answer is late, or None where it is lost. Tests and simulations of stragglers give one.
    threads: how many sites compute at once; answers are the same, if sites share nothing.
    """

    def __init__(
        self,
        sites: Mapping[str, Site],
        *,
        threads: int = 1,
        arrival: Callable[[str, int], int | None] = lambda name, call: 0,
    ) -> None:
        self._calls = 0
        names = dict(enumerate(sorted(sites), start=internals.SERVER_NODE + 1))
        apps = {node: _app(name, sites[name]) for node, name in names.items()}
        grid = InProcessGrid(
            apps, threads=threads, delay=lambda node: arrival(names[node], self._calls)
        )
        super().__init__(grid, poll_s=0.0)
        self._joined = {name: (node, name) for node, name in names.items()}
        self._greeted = {node: name for node, name in names.items()}

    def ask(self, asked: Mapping[str, bytes], *, deadline_s: float | None) -> dict[str, bytes]:
        """The answers that are due at this call. No clock is read: `arrival` makes them late."""
        answers = super().ask(dict(sorted(asked.items())), deadline_s=0.0)
        self._calls += 1
        return answers


def describe(error: Exception) -> str:
    """An error in full: it does not leave this process."""
    return f"{type(error).__name__}: {error}"


def _app(name: str, site: Site) -> ClientApp:
    return site_app(
        lambda context: site,
        greet=lambda context: {"name": name, "mark": name},
        farewell=lambda context, failed: None,
        describe=describe,
    )
