"""Tries every candidate of one graph: built apart, timed beside torch, judged by the guard."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modalloy.answer.graph_engine import GraphEngine
from modalloy.deploy.budget import BUILD_BYTES, Budget
from modalloy.deploy.candidate_builds.trial import packed
from modalloy.deploy.candidates import FAMILIES, Candidate, candidates, has_attention
from modalloy.deploy.choice import slower
from modalloy.deploy.contract import Profile
from modalloy.deploy.feeds import Feed, as_tensors
from modalloy.deploy.guard import Guard, Judged
from modalloy.deploy.ladder import climb
from modalloy.deploy.one_changed import Kept, OneChanged, far_outside, finite
from modalloy.deploy.onnx_graphs import Graph
from modalloy.deploy.speed import Timer, eager, operations, speed_from, speed_of, timed
from modalloy.deploy.tried import REFERENCE, Speed, Tried, failed
from modalloy.graphs.branch import Precision, Variant
from modalloy.graphs.open import session_of
from modalloy.graphs.session import Session
from modalloy.machine.confined import Confined, run_confined
from modalloy.machine.peak import Peak

HOPELESS = 20.0  # times the reference's time after which nobody times any further
COARSER: tuple[Precision, ...] = ("f32", "f16", "bf16", "int8")
BUILDS = "modalloy.deploy.candidate_builds"


@dataclass
class Bench:
    """What candidates are tried with. threads: that each may use. base: the graphs in float32 as an
    engine. smaller: these are of a smaller network than the run's. time: how two ways are timed.
    """

    profile: Profile
    threads: int
    budget: Budget
    peak: Peak | None
    base: GraphEngine
    guard: Guard
    seed: int = 0
    time: Timer = timed
    kept: Kept = field(default_factory=Kept)
    smaller: bool = False

    def confine(self, function: str, given: Mapping[str, Any]) -> Confined:
        """Run a function apart, within what is left of the time."""
        limits = {"seconds": self.budget.build_s(), "memory_bytes": BUILD_BYTES}
        return run_confined(function, given, threads=self.threads, **limits)

    def precision(self, candidates: Iterable[Candidate]) -> Precision | None:
        """The coarsest numbers of what is computed by these and else in float32, see `Guard`."""
        if self.smaller:
            return None
        return max((c.precision for c in candidates), key=COARSER.index, default="f32")

    def judge(self, name: str, candidate: Candidate, session: Session, feed: Feed) -> Judged:
        """What the network does with this session for one graph."""
        engine = OneChanged(self.base, {name: session}, self.kept)
        outside = far_outside(feed.many, self.seed)
        plain = [finite(self.base.sessions[name], values) for values in outside]
        here = [finite(session, values) for values in outside]
        sound = all(now or not was for was, now in zip(plain, here, strict=True))
        precision = self.precision([candidate])
        return self.guard.judge(engine, precision=precision, finite=sound)


def search_branch(
    bench: Bench,
    graph: Graph,
    data: bytes,
    kinds: set[str],
    feed: Feed,
    tick: Callable[[], None] = lambda: None,
) -> list[Tried]:
    """Every candidate of one graph with its verdict, the reference first; `passed` where it may be
    chosen. data: the graph in ONNX. kinds: of its nodes.
    """
    found = [reference(bench, graph, feed)]
    for one in candidates(graph.name, kinds, exact_only=bench.profile == "exact"):
        if bench.budget.over():
            why = "not tried: the minutes were used up"
            found.append(Tried(graph.name, one.label, "failed", why, candidate=one))
        else:
            tried = attempt(bench, graph, data, kinds, feed, one)
            found.append(tried if tried.verdict == "passed" else tried.dropped())
        tick()
    return found


def reference(bench: Bench, graph: Graph, feed: Feed) -> Tried:
    """The network of torch, as a run answers."""
    pairs = []
    for values in (feed.one, feed.many):
        call = eager(graph.module, as_tensors(values))
        own = bench.time({"slow": call, "fast": call})["fast"]
        pairs.append({"slow": own, "fast": own})
    one, many = pairs
    rows = len(next(iter(feed.many.values())))
    work = operations(graph.module, as_tensors(feed.many))
    speed = speed_from(one, many, rows, work=work, peak=bench.peak, family="float32")
    why = "what every candidate is compared with; no bundle holds it, since bundles need no torch"
    return Tried(graph.name, REFERENCE, "reference", why, speed=speed)


def attempt(
    bench: Bench, graph: Graph, data: bytes, kinds: set[str], feed: Feed, candidate: Candidate
) -> Tried:
    """`try_one`, whose errors are verdicts: the others are not lost for one that fails."""
    try:
        return try_one(bench, graph, data, kinds, feed, candidate)
    except Exception as error:
        tried = Tried(graph.name, candidate.label, "failed", candidate=candidate)
        return failed(tried, error)


def try_one(
    bench: Bench,
    graph: Graph,
    data: bytes,
    kinds: set[str],
    feed: Feed,
    candidate: Candidate,
) -> Tried:
    """Build, time and judge one candidate."""
    given = build_of(bench, data, kinds, feed, candidate)
    made = bench.confine(*given)
    tried = Tried(graph.name, candidate.label, "failed", build_s=made.seconds, candidate=candidate)
    if made.why is not None:
        return tried.now("failed", f"could not be built: {made.why}")
    tried = replace(tried, files=tuple(made.result["files"]), said=said_of(candidate, made.result))
    hopeless = too_slow(graph, feed, made.result["seconds"])
    if hopeless:
        return tried.now("slower", hopeless)
    session = session_from(candidate, tried.files, bench.threads)
    tried = replace(tried, speed=timed_speed(bench, graph, feed, candidate, session))
    behind = slower(tried, bench.profile)
    if behind and candidate.precision != "f32":
        return tried.now("slower", behind)
    judged = bench.judge(graph.name, candidate, session, feed)
    tried = replace(tried, judged=judged)
    if judged.passed:
        return tried.now("slower", behind) if behind else tried.now("passed")
    short = bench.guard.contract.too_few(judged)  # then no repair could pass
    if candidate.precision == "int8" and candidate.way == "calibrated" and not short:
        return repaired(bench, graph, feed, candidate, tried, given[1])
    return tried.now("refused", judged.reasons[0])


def build_of(
    bench: Bench, data: bytes, kinds: set[str], feed: Feed, candidate: Candidate
) -> tuple[str, dict[str, Any]]:
    """The function that builds a candidate, and its arguments."""
    feeds = [packed(feed.one), packed(feed.many)]
    given: dict[str, Any] = {"graph": data, "feeds": feeds, "threads": bench.threads}
    match candidate.engine, candidate.way:
        case "onnxruntime", "dynamic":
            return f"{BUILDS}.onnx_runtime:dynamic", given
        case "onnxruntime", _:
            return f"{BUILDS}.onnx_runtime:plain", given
        case _, "calibrated":
            rows = [packed(values) for values in feed.each]
            own = {"rows": rows, "attention": has_attention(kinds)}
            return f"{BUILDS}.nncf_int8:build", given | own
        case _:
            return f"{BUILDS}.openvino_float:build", given | {"precision": candidate.precision}


def said_of(candidate: Candidate, result: Mapping[str, Any]) -> str:
    """What is to be known of a candidate besides its figures."""
    if result.get("native") is False:
        return (
            f"this processor does not multiply {FAMILIES[candidate.precision]}: numbers are "
            "widened first, so weights take less room and nothing is faster"
        )
    return ""


def too_slow(graph: Graph, feed: Feed, seconds: list[float]) -> str:
    """Why a candidate that was just built is not even timed; empty where it is."""
    for values, took in zip((feed.one, feed.many), seconds, strict=True):
        call = eager(graph.module, as_tensors(values))
        call()
        plain = timed({"slow": call})["slow"].median_s if took > 0.5 else took
        if took > HOPELESS * plain:
            return f"{1000 * took:.0f} ms a call where the reference takes {1000 * plain:.1f}"
    return ""


def session_from(candidate: Candidate, files: tuple[bytes, ...], threads: int) -> Session:
    """The session of what was built."""
    names = tuple(str(i) for i in range(len(files)))
    variant = Variant(candidate.engine, names, candidate.precision)
    return session_of(variant, list(files), threads=threads)


def timed_speed(
    bench: Bench, graph: Graph, feed: Feed, candidate: Candidate, session: Session
) -> Speed:
    """How fast a session is beside the reference."""
    given = {"peak": bench.peak, "family": FAMILIES[candidate.precision], "time": bench.time}
    return speed_of(session.run, graph.module, feed, **given)


def repaired(
    bench: Bench,
    graph: Graph,
    feed: Feed,
    candidate: Candidate,
    tried: Tried,
    given: Mapping[str, Any],
) -> Tried:
    """An 8-bit candidate that failed its guard, after its climb."""

    def judge(result: Mapping[str, Any]) -> Judged:
        session = session_from(candidate, tuple(result["files"]), bench.threads)
        return bench.judge(graph.name, candidate, session, feed)

    assert tried.judged is not None, "it was judged"
    climbed = climb(given, bench.confine, judge, bench.budget, failed=tried.judged)
    tried = replace(tried, build_s=tried.build_s + climbed.seconds, said=climbed.text)
    if climbed.built is None or climbed.judged is None:
        why = f"{tried.judged.reasons[0] if tried.judged else ''}; no repair helped"
        return tried.now("refused", why)
    files = tuple(climbed.built["files"])
    session = session_from(candidate, files, bench.threads)
    speed = timed_speed(bench, graph, feed, candidate, session)
    tried = replace(tried, files=files, judged=climbed.judged, speed=speed)
    behind = slower(tried, bench.profile)
    return tried.now("slower", behind) if behind else tried.now("passed", "repaired")
