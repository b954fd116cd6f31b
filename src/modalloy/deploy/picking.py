"""One candidate for each graph, together judged once more: what fails falls back, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modalloy.answer.graph_engine import GraphEngine
from modalloy.deploy.branch_search import Bench, session_from
from modalloy.deploy.choice import ranked
from modalloy.deploy.guard import Judged
from modalloy.deploy.one_changed import OneChanged
from modalloy.deploy.tried import Tried
from modalloy.graphs.session import Session

BESIDE = "keeps the promise; what was chosen is better for the profile"
PLAIN = "nothing that passed was faster: the graph in float32 stands in, which needs no torch"


@dataclass(frozen=True)
class Picked:
    """tried: graph -> the candidate that was taken; one that is not here stays in float32 as the
    base has it. judged: of all together. said: what fell back on the way.
    """

    tried: Mapping[str, Tried]
    judged: Judged
    said: Sequence[str]


def pick(bench: Bench, found: Mapping[str, Sequence[Tried]]) -> Picked:
    """The best candidate of each graph for the profile; where they break the contract together,
    the one whose decisions differ most gives way to the next best, until it is kept.
    """
    orders = {name: ranked(tries, bench.profile) for name, tries in found.items()}
    said: list[str] = []
    while True:
        picked = {name: order[0] for name, order in orders.items() if order}
        engine = OneChanged(bench.base, sessions_of(bench, picked), bench.kept)
        precision = bench.precision(t.candidate for t in picked.values())
        judged = bench.guard.judge(engine, precision=precision)
        if judged.passed or not picked:
            return Picked(picked, judged, said)
        worst = min(picked, key=lambda n: least_alike(picked[n]))
        gone = orders[worst].pop(0)
        where = worst or "fusion and heads"
        said.append(f"{where}: {gone.label} fell back: together, {judged.reasons[0]}")


def least_alike(tried: Tried) -> float:
    """Share of decisions that a candidate alone leaves as they were."""
    return tried.judged.least_agreement if tried.judged else 1.0


def sessions_of(bench: Bench, picked: Mapping[str, Tried]) -> dict[str, Session]:
    """The sessions of what was taken."""
    return {n: session_from(t.candidate, t.files, bench.threads) for n, t in picked.items()}


def engine_of(base: GraphEngine, sessions: Mapping[str, Session]) -> GraphEngine:
    """The graphs with what was taken in the place of some of them, every one computed each time."""
    given = (base.job, base.readers, base.targets, base.branches)
    return GraphEngine(*given, {**base.sessions, **sessions}, base.absent_D)


def told(found: Mapping[str, Sequence[Tried]], picked: Picked) -> list[Tried]:
    """All rows of the report with their last verdict, a graph's reference first."""
    rows = []
    for name, tries in found.items():
        taken = picked.tried.get(name)
        for one in tries:
            if taken is not None and one.label == taken.label:
                rows.append(one.now("chosen", one.why or "best for the profile of what passed"))
            elif taken is None and one is plain_of(tries):
                rows.append(one.now("chosen", PLAIN))
            elif one.verdict == "passed":
                rows.append(one.now("passed", one.why or BESIDE))
            else:
                rows.append(one)
    return rows


def plain_of(tries: Sequence[Tried]) -> Tried | None:
    """The float32 candidate that the base is of: the first one after the reference."""
    return next((t for t in tries if t.candidate is not None), None)
