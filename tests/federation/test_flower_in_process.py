"""Sites in this process: the same sums each time, whoever fails, is late or is lost."""

import json
import logging
from collections.abc import Iterable
from importlib.metadata import version

import pytest

from flower_toys import Adder, Broken, one_round
from modalloy.errors import FederationError
from modalloy.federation.flower import internals
from modalloy.federation.flower.apps import site_app
from modalloy.federation.flower.in_process import InProcessGrid, InProcessSites
from modalloy.federation.flower.sites import LATE, GridSites


def ask(sites: InProcessSites, total: int) -> dict[str, int]:
    data = json.dumps({"sum": total}).encode()
    answers = sites.ask(dict.fromkeys("AB", data), deadline_s=None)
    return {name: json.loads(answer)["sum"] for name, answer in answers.items()}


def test_the_installed_flower_is_one_that_this_was_tested_with() -> None:
    internals.check_version()
    assert version("flwr").rpartition(".")[0] in internals.TESTED


def test_another_flower_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        FederationError, match=r"flwr 1\.38\.0 is installed, .* pip install 'flwr>="
    ):
        internals.check_version("1.38.0")


def test_a_name_that_flower_has_lost_is_refused_in_one_sentence() -> None:
    with pytest.raises(FederationError, match=r"has no flwr\.app\.Spool; install one of"):
        internals._inside("flwr.app", "Spool")


@pytest.mark.parametrize("threads", [1, 2])
def test_every_site_answers_each_round(threads: int) -> None:
    sites = InProcessSites({"B": Adder(2), "A": Adder(1)}, threads=threads)
    totals = [0]
    while len(totals) < 5:
        totals.append(one_round(sites, totals[-1]))
    assert sites.names() == ["A", "B"]
    assert totals == [0, 3, 9, 21, 45]


def test_bytes_come_back_as_they_were_sent() -> None:
    class Echo:
        def answer(self, data: bytes) -> bytes:
            return data

    sent = bytes(range(256)) * 20_000
    assert InProcessSites({"A": Echo()}).ask({"A": sent}, deadline_s=None) == {"A": sent}
    assert InProcessSites({"A": Echo()}).ask({"A": b""}, deadline_s=None) == {"A": b""}


def test_a_site_that_fails_is_absent_and_its_reason_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="modalloy.federation")
    sites = InProcessSites({"A": Adder(1), "B": Broken()})
    assert ask(sites, 0) == {"A": 1}
    assert sites.reasons == {"B": "ValueError: row 3 holds 'J. Smith'"}
    assert "site B is absent: ValueError: row 3" in caplog.text


def test_a_site_that_never_joined_is_absent() -> None:
    sites = InProcessSites({"A": Adder(1)})
    assert ask(sites, 0) == {"A": 1}
    assert sites.reasons == {"B": "it has not joined, or is gone"}


def test_a_late_answer_comes_by_a_later_call_and_its_site_is_not_asked_before() -> None:
    late = {("A", 1): 2}
    slow = Adder(1)
    sites = InProcessSites(
        {"A": slow, "B": Adder(2)}, arrival=lambda name, call: late.get((name, call), 0)
    )
    assert [ask(sites, 10 * call) for call in range(5)] == [
        {"A": 1, "B": 2},
        {"B": 12},
        {"B": 22},
        {"A": 11, "B": 32},  # A's answer to the call of 10
        {"A": 41, "B": 42},
    ]
    assert slow.count == 3
    assert sites.reasons == {}


def test_a_lost_answer_is_absent_and_its_site_asked_again() -> None:
    sites = InProcessSites(
        {"A": Adder(1), "B": Adder(2)},
        arrival=lambda name, call: None if (name, call) == ("B", 0) else 0,
    )
    assert ask(sites, 0) == {"A": 1}
    assert sites.reasons == {"B": "its answer was lost on the way"}
    assert ask(sites, 0) == {"A": 1, "B": 2}


def test_a_late_site_has_its_reason() -> None:
    sites = InProcessSites({"A": Adder(1)}, arrival=lambda name, call: 1)
    assert ask(sites, 0) == {}
    assert sites.reasons["A"] == LATE


class Nodes(InProcessGrid):
    """A grid whose nodes come and go: those in `there`."""

    there: list[int]

    def get_node_ids(self) -> Iterable[int]:
        return self.there


def joining(*named: tuple[str, str]) -> tuple[GridSites, Nodes, list[str]]:
    """Sites of given names and marks, of which none is there yet; what they are told at the end."""
    told: list[str] = []
    apps = {
        node: site_app(
            lambda context: Adder(1),
            greet=lambda context, name=name, mark=mark: {"name": name, "mark": mark},
            farewell=lambda context, failed: told.append(failed),
            describe=str,
        )
        for node, (name, mark) in enumerate(named, start=2)
    }
    grid = Nodes(apps)
    grid.there = []
    return GridSites(grid, poll_s=0.0), grid, told


def test_sites_join_by_the_name_they_give_and_are_absent_once_gone() -> None:
    sites, grid, _ = joining(("A", "a"), ("B", "b"))
    assert sites.names() == []
    grid.there = [2, 3]
    assert sites.names() == ["A", "B"]
    grid.there = [3]
    assert sites.names() == ["B"]
    assert ask(sites, 0) == {"B": 1}


def test_a_site_that_started_again_takes_its_name_over() -> None:
    sites, grid, _ = joining(("A", "a"), ("A", "a"))
    grid.there = [2]
    assert sites.names() == ["A"]
    grid.there = [2, 3]
    assert sites.names() == ["A"]
    assert sites._joined["A"][0] == 3


def test_another_site_of_the_same_name_is_sent_away() -> None:
    sites, grid, told = joining(("A", "a"), ("A", "other"))
    grid.there = [2]
    sites.names()
    grid.there = [2, 3]
    assert sites.names() == ["A"]
    assert sites._joined["A"][0] == 2
    assert told == ["another site named A has joined before; give this one another name."]


def test_too_few_sites_are_one_sentence() -> None:
    sites, grid, _ = joining(("A", "a"), ("B", "b"))
    grid.there = [2]
    with pytest.raises(FederationError, match=r"1 of 2 sites have joined within 0 s, A; start"):
        sites.wait(2, timeout_s=0)


def test_a_node_that_leaves_while_it_owes_is_gone_not_late() -> None:
    sites, grid, _ = joining(("A", "a"), ("B", "b"))
    grid.there = [2, 3]
    sites.names()
    grid._delay = lambda node: 10**9 if node == 3 else 0
    assert sites.ask(dict.fromkeys("AB", b'{"sum": 0}'), deadline_s=0.0).keys() == {"A"}
    grid.there = [2]
    assert sites.names() == ["A"]
    assert sites.ask({"B": b""}, deadline_s=None) == {}
    assert sites.reasons == {"B": "it has not joined, or is gone"}
