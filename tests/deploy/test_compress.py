"""`compress`: what is slower, hangs or breaks answers is refused; what passes is bundled."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.answers import View
from modalloy.answer.predictor import Predictor
from modalloy.answer.torch_engine import TorchEngine
from modalloy.bundle.bundled import load_bundle
from modalloy.compression.lever import Changed, Rows, copied, noted
from modalloy.compression.pruning import prune
from modalloy.deploy import branch_search, compress_run, smaller_nets
from modalloy.deploy.branch_search import Bench, search_branch, try_one
from modalloy.deploy.budget import Budget
from modalloy.deploy.calibration_rows import own_table, set_apart
from modalloy.deploy.candidates import Candidate, candidates, has_attention
from modalloy.deploy.compress_run import Taken, better
from modalloy.deploy.compressed_page import pages_of
from modalloy.deploy.compressed_report import say_changes
from modalloy.deploy.contract import Contract
from modalloy.deploy.guard import Guard
from modalloy.deploy.network import Network, graphed, operations_in
from modalloy.deploy.one_changed import Kept, OneChanged
from modalloy.deploy.picking import PLAIN, pick, told
from modalloy.deploy.smaller_nets import (
    MOST_STEPS,
    WHOLE,
    Step,
    batches,
    smaller,
    steps_in,
)
from modalloy.deploy.torch_compared import torch_rows
from modalloy.errors import BundleError, JobError, RunError
from modalloy.graphs.branch import FUSION
from modalloy.graphs.session import Session
from modalloy.job.job_file import load_job
from modalloy.machine.bursts import Ratio, Timing
from modalloy.model.model import Model
from modalloy.readers.batch import Arrays
from modalloy.runs.run import Run
from modalloy.unlike.likeness import Unlikeness
from untrained import untrained

ORT = Candidate("onnxruntime", "f32")
OPENVINO = Candidate("openvino", "f32")
Ways = Mapping[str, Callable[[], object]]


def times(fast_ms: float) -> Callable[[Ways], dict[str, Timing]]:
    """A timer by whose clock the reference takes 2 ms and everything else so many."""

    def timer(ways: Ways) -> dict[str, Timing]:
        for way in ways.values():
            way()
        taken = {"slow": 0.002, "fast": fast_ms / 1000}
        return {name: Timing(np.full((5, 3), taken[name]), np.full(5, 0.001)) for name in ways}

    return timer


class Tools(NamedTuple):
    """A run over numbers, a name and notes, its graphs, and what candidates are tried with."""

    run: Run
    table: Path
    network: Network
    bench: Bench


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    folder = tmp_path_factory.mktemp("plant")
    table = write_table(folder, rows=200)
    split = {"random": "stratified", "test": 0.1, "validation": 0.5}
    tasks = {"fault": {"type": "classify", "target": "fault_code"}}
    job = make_job(table, columns=("load", "site", "note"), split=split, tasks=tasks)
    run = untrained(folder / "run", table, job=load_job(job), steps=25)
    torch.set_num_threads(1)
    predictor = Predictor(run)
    rows = own_table(predictor)
    network = graphed(predictor, predictor.model, rows, 1, quiet=True)
    guard = Guard(predictor, rows, TorchEngine(predictor.model), Contract("latency", 0.5))
    bench = Bench("latency", 1, Budget(None), None, network.base, guard, time=times(1.0))
    return Tools(run, table, network, bench)


def tried_one(tools: Tools, candidate: Candidate, bench: Bench | None = None, name: str = "note"):
    """What becomes of one candidate for a graph."""
    data = tools.network.data[name]
    given = (tools.network.graphs[name], data, operations_in(data), tools.network.feeds[name])
    return try_one(bench or tools.bench, *given, candidate)


def test_rows_of_the_guard_are_validation_rows(tools: Tools) -> None:
    rows = tools.bench.guard.rows
    assert rows.source == "validation rows"
    assert len(rows.guard) == 90
    assert not set(rows.guard) & set(rows.calibrate)
    apart = set_apart(rows)
    assert len(apart.held) == 22
    assert set(apart.guard) | set(apart.held) == set(rows.guard)
    assert not set(apart.guard) & set(apart.held)


def test_which_candidates_are_tried(tools: Tools) -> None:
    kinds = operations_in(tools.network.data["note"])
    assert has_attention(kinds)
    labels = [c.label for c in candidates("note", kinds, exact_only=False)]
    assert labels == [
        "onnxruntime f32", "openvino f32", "openvino bf16", "openvino f16",
        "onnxruntime int8 dynamic", "openvino int8 calibrated",
    ]  # fmt: skip
    assert not [c for c in candidates("note", kinds, exact_only=True) if c.precision == "int8"]
    conv = [c.label for c in candidates("photo", {"Conv", "Relu"}, exact_only=False)]
    assert "onnxruntime int8 dynamic" not in conv
    assert "openvino int8 calibrated" in conv
    assert {c.precision for c in candidates(FUSION, kinds, exact_only=False)} == {"f32"}


def test_float32_of_another_engine_passes(tools: Tools) -> None:
    found = tried_one(tools, OPENVINO)
    assert found.verdict == "passed"
    assert found.judged is not None
    assert found.judged.agreement == {"fault": 1.0}
    assert found.judged.kept == pytest.approx(1.0, abs=0.02)
    assert found.speed is not None
    assert found.speed.one.value == pytest.approx(2.0)


def test_a_slower_candidate_is_never_chosen(tools: Tools) -> None:
    slow = replace(tools.bench, time=times(3.0))
    found = tried_one(tools, OPENVINO, slow)
    assert (found.verdict, found.why) == ("slower", "x0.67 of the reference's speed with one row")
    plain = tried_one(tools, ORT, slow)
    picked = pick(slow, {"note": [plain, found]})
    assert picked.tried == {}
    rows = told({"note": [plain, found]}, picked)
    assert (rows[0].label, rows[0].verdict, rows[0].why) == ("onnxruntime f32", "chosen", PLAIN)
    assert rows[1].verdict == "slower"


class Broken(Session):
    """A session that says the opposite."""

    def __init__(self, session: Session) -> None:
        self.session, self.inputs = session, session.inputs

    def run(self, values: Arrays) -> Arrays:
        out = self.session.run(values)
        return {n: -x if x.dtype.kind == "f" else x for n, x in out.items()}


class Fragile(Session):
    """A session that breaks on large numbers."""

    def __init__(self, session: Session) -> None:
        self.session, self.inputs = session, session.inputs

    def run(self, values: Arrays) -> Arrays:
        out = self.session.run(values)
        large = any(np.abs(x).max(initial=0) > 100 for x in values.values() if x.dtype.kind == "f")
        return {n: x * np.nan if large and x.dtype.kind == "f" else x for n, x in out.items()}


def wrapped(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    real = branch_search.session_from
    monkeypatch.setattr(branch_search, "session_from", lambda *given: kind(real(*given)))


def test_what_breaks_answers_is_refused_with_the_reason(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped(monkeypatch, Broken)
    found = tried_one(tools, OPENVINO, name=FUSION if FUSION in tools.network.feeds else "note")
    assert found.verdict == "refused"
    assert "points lost" in found.why
    assert "0.5 allowed" in found.why


def test_what_gives_no_numbers_far_outside_is_refused(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped(monkeypatch, Fragile)
    found = tried_one(tools, OPENVINO, name="table")
    assert found.verdict == "refused"
    assert "no finite answer" in found.why


def test_a_build_that_hangs_is_killed_and_named(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "build_s", lambda self: 2.0)
    monkeypatch.setattr(branch_search, "build_of", lambda *_: ("slow_builds:hang", {"a": 1}))
    found = tried_one(tools, OPENVINO)
    assert found.verdict == "failed"
    assert found.why == "could not be built: It took longer than 2 s and was stopped."
    assert found.label == "openvino f32"


def test_what_is_hopelessly_slow_is_not_timed(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Bench.confine

    def slow(self: Bench, function: str, given: Mapping[str, Any]) -> Any:
        made = real(self, function, given)
        return made._replace(result={**made.result, "seconds": [26.0, 26.0]})

    monkeypatch.setattr(Bench, "confine", slow)
    found = tried_one(tools, OPENVINO)
    assert found.verdict == "slower"
    assert found.speed is None
    assert "26000 ms a call where the reference takes" in found.why


def test_other_ways_of_torch_are_compared_and_never_passed(tools: Tools) -> None:
    given = (tools.bench, tools.network.graphs["note"], tools.network.feeds["note"])
    [row] = torch_rows(*given, compiled=False)
    assert (row.label, row.verdict, row.files) == ("torch bf16", "compared", ())
    assert row.speed is not None
    assert row.speed.one.value > 0
    assert float(row.said.rpartition(" ")[2]) > 0.99


def test_a_comparison_that_cannot_be_written_out_is_a_verdict(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(torch.export, "export", break_down)
    given = (tools.bench, tools.network.graphs["note"], tools.network.feeds["note"])
    rows = torch_rows(*given, compiled=True)
    assert [(t.verdict, t.why) for t in rows] == 2 * [("failed", "RuntimeError: no such operation")]


def test_a_candidate_that_breaks_down_is_a_verdict_and_keeps_no_bytes(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = branch_search.try_one

    def some(*given: Any) -> Any:
        if given[-1] == OPENVINO:
            raise ZeroDivisionError("by nothing")
        return real(*given)

    monkeypatch.setattr(branch_search, "try_one", some)
    monkeypatch.setattr(branch_search, "candidates", lambda *_, **__: iter([OPENVINO, ORT]))
    data = tools.network.data["note"]
    given = (tools.network.graphs["note"], data, operations_in(data), tools.network.feeds["note"])
    _, broke, passed = search_branch(tools.bench, *given)
    assert (broke.verdict, broke.why) == ("failed", "ZeroDivisionError: by nothing")
    assert passed.verdict == "passed"
    assert passed.files
    slow = search_branch(replace(tools.bench, time=times(3.0)), *given)[2]
    assert (slow.verdict, slow.files) == ("slower", ())
    assert slow.megabytes > 0


def test_what_is_kept_of_rows_has_an_end(tools: Tools) -> None:
    rows = tools.bench.guard.rows
    given = rows.loader.batch(rows.guard[:8])
    sessions = {"note": tools.network.base.sessions["note"]}
    kept, full = Kept(), Kept(room=10)
    found = [
        OneChanged(tools.network.base, sessions, k).encode(given, ["table", "note"])
        for k in (kept, full)
    ]
    assert len(kept.found) == 1
    assert kept.left < 1_000_000_000
    assert full.found == {}
    one, other = (f.tokens["table"].summary_BD for f in found)
    np.testing.assert_array_equal(one, other)


def test_minutes_that_are_used_up_end_the_search(tools: Tools) -> None:
    over = replace(tools.bench, budget=Budget(1e-9))
    data = tools.network.data["note"]
    given = (tools.network.graphs["note"], data, operations_in(data), tools.network.feeds["note"])
    found = search_branch(over, *given)
    assert [t.verdict for t in found] == ["reference"] + 6 * ["failed"]
    assert {t.why for t in found[1:]} == {"not tried: the minutes were used up"}


def test_other_ways_of_torch_are_not_begun_after_the_minutes(tools: Tools) -> None:
    over = replace(tools.bench, budget=Budget(1e-9))
    given = (over, tools.network.graphs["note"], tools.network.feeds["note"])
    rows = torch_rows(*given, compiled=True)
    assert [t.label for t in rows] == ["torch bf16", "torch f32 compiled"]
    assert {t.why for t in rows} == {"not tried: the minutes were used up"}


def test_together_what_breaks_the_promise_falls_back(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tried_one(tools, OPENVINO)
    assert good.speed is not None
    ratio = good.speed.one._replace(value=9.0)
    better = replace(good, label="openvino f16", speed=replace(good.speed, one=ratio))
    real = Guard.judge
    broken = []

    def judge(self: Guard, engine: Any, **given: Any) -> Any:
        judged = real(self, engine, **given)
        if not broken:
            broken.append(engine)
            return replace(judged, reasons=("fault: 3.00 points lost",))
        return judged

    monkeypatch.setattr(Guard, "judge", judge)
    picked = pick(tools.bench, {"note": [good, better]})
    assert picked.tried["note"].label == "openvino f32"
    assert list(picked.said) == ["note: openvino f16 fell back: together, fault: 3.00 points lost"]


class Knows:
    """Calls half of the rows unlike those of training, by what the network makes of them."""

    def __init__(self) -> None:
        self.pooled, self.half = (), 0.0

    def judge(self, view: View) -> Unlikeness:
        x_B = view.fused_BD.sum(1)
        self.half = self.half or float(np.median(x_B))
        return Unlikeness(x_B - self.half + 1.0, [""] * len(x_B))


def guard_of(tools: Tools, predictor: Predictor) -> Guard:
    """A guard of its own."""
    engine = TorchEngine(predictor.model)
    return Guard(predictor, tools.bench.guard.rows, engine, Contract("latency", 0.5))


def test_rows_that_the_run_calls_unlike_are_compared(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, knows = Predictor(tools.run), Knows()
    monkeypatch.setattr(predictor, "likeness", knows)
    guard = guard_of(tools, predictor)
    same = guard.judge(tools.network.base, precision="f32")
    assert same.unlike is not None
    assert same.unlike.share == 1.0
    assert same.passed
    knows.half -= 1e6  # as where every vector has moved
    [why] = guard.judge(tools.network.base, precision="f32").reasons
    assert why.startswith("50.00 % of rows are called unlike those of training")


def test_on_few_rows_eight_bits_and_smaller_networks_are_refused(tools: Tools) -> None:
    guard, base = tools.bench.guard, tools.network.base
    exact = guard.judge(base, precision="f32")
    assert exact.passed
    assert exact.few["fault"].rests
    assert exact.few["fault"].moved < 1e-4
    for coarse in ("int8", None):  # the very same answers, by what may fail on other rows
        found = guard.judge(base, precision=coarse)
        assert found.losses["fault"][0] == 0.0
        assert found.losses["fault"][1] == pytest.approx(3.27, abs=0.01)
        assert found.reasons[0].startswith("fault: 0.00 points lost, and 3.27 cannot be ruled out")
        assert "598 labelled rows" in found.reasons[0]
    eight = Candidate("openvino", "int8", "calibrated")
    assert tools.bench.precision([OPENVINO, eight]) == "int8"
    assert tools.bench.precision([]) == "f32"
    assert replace(tools.bench, smaller=True).precision([OPENVINO]) is None


def test_a_task_without_known_answers_must_decide_alike(tools: Tools) -> None:
    guard = guard_of(tools, Predictor(tools.run))
    guard.truth = {"fault": [None] * len(guard.rows.guard)}
    fine = guard.judge(tools.network.base, precision="f32")
    assert fine.losses == {}
    assert fine.passed
    sessions = {**tools.network.base.sessions}
    broken = OneChanged(tools.network.base, {FUSION: Broken(sessions[FUSION])}, Kept())
    assert "for want of a figure" in guard.judge(broken, precision="f32").reasons[0]


def lost(model: Model, rows: Rows, share: float) -> Changed:
    """A lever that takes everything away."""
    empty = copied(model)
    with torch.no_grad():
        for p in empty.parameters():
            p.zero_()
    return noted(empty, {"lever": "lost", "share": share, "inputs": []})


def impossible(model: Model, rows: Rows, share: float) -> Changed:
    raise JobError("no layer can be changed")


def broken(model: Model, rows: Rows, share: float) -> Changed:
    raise ZeroDivisionError("by nothing")


def test_smaller_networks_are_judged_like_all_others(tools: Tools) -> None:
    picked = pick(tools.bench, {})
    rows = set_apart(tools.bench.guard.rows)
    levers = [
        Step("lost", lost, 0.5, False),
        Step("impossible", impossible, 0.5, False),
        Step("broken", broken, 0.5, False),
    ]
    given = (tools.bench, tools.bench.guard.predictor, rows, picked)
    tried, passed = smaller_nets.smaller_nets(*given, levers=levers)
    assert passed == []
    assert [t.verdict for t in tried] == ["refused", "failed", "failed"]
    assert "points lost" in tried[0].why
    assert tried[1].why == "no layer can be changed"
    assert tried[2].why == "ZeroDivisionError: by nothing"


def same(model: Model, rows: Rows, share: float) -> Changed:
    """A lever that changes nothing."""
    return noted(copied(model), {"lever": "same", "share": share, "inputs": ["note"]})


def test_a_smaller_network_that_passes_is_computed_as_the_first_one_was(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smaller_nets, "graphed", lambda *_, **__: tools.network)
    # Of a smaller network 90 rows rule out no less than 3.27 points.
    monkeypatch.setattr(tools.bench.guard, "contract", Contract("latency", 5.0))
    picked = pick(tools.bench, {"note": [tried_one(tools, OPENVINO)]})
    rows = set_apart(tools.bench.guard.rows)
    given = (tools.bench, tools.bench.guard.predictor, rows, picked)
    [row], [found] = smaller_nets.smaller_nets(*given, levers=[Step("same", same, 1.0, False)])
    assert (row.branch, row.verdict, row.said) == (WHOLE, "passed", "lever same, share 1.0")
    assert found.picked.tried["note"].label == "openvino f32"
    assert row.speed is not None
    assert row.speed.one.value == pytest.approx(2.0)
    first = Taken(tools.network, picked, found.speed)
    assert not better(found, first, "latency")
    ratio = Ratio(1.5, 1.4, 1.9)
    late = found.speed._replace(faster_one=ratio, faster_many=ratio)
    assert better(found, first._replace(speed=late), "latency")
    assert better(found, first._replace(speed=late), "throughput")
    near = found.speed._replace(faster_one=ratio._replace(high=2.1), one=(9.0, 9.0))
    assert not better(found, first._replace(speed=near), "latency")  # no more than noise
    assert not better(found, first, "size")


def test_what_is_pruned_is_taught_as_long_as_there_is_time(tools: Tools) -> None:
    predictor = tools.bench.guard.predictor
    rows = set_apart(tools.bench.guard.rows)
    loader, model = rows.loader, predictor.model
    given = Rows(batches(loader, rows.learn[:16], model), batches(loader, rows.held[:16], model))
    assert steps_in(model, given, 0.0) == 1
    assert steps_in(model, given, 1e9) == MOST_STEPS
    changed = smaller(model, given, Step("half", prune, 0.5, True), 1e-6)
    assert [r["lever"] for r in changed.model.compressed] == ["prune", "distil"]
    assert changed.record["steps"] == 1


@pytest.fixture(scope="module")
def bundle(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the float32 candidates alone, by a clock that likes all of them."""
    place = tmp_path_factory.mktemp("made") / "model.zip"
    with pytest.MonkeyPatch.context() as patch:
        kept = {"branch_search": branch_search, "compress_run": compress_run}
        for module in kept.values():
            patch.setattr(module, "candidates", lambda *_, **__: iter([ORT, OPENVINO]))
        patch.setattr(compress_run, "torch_rows", lambda *_, **__: [])
        patch.setattr(compress_run, "graphed", lambda *_, **__: tools.network)
        patch.setattr(compress_run, "peak", lambda **_: None)
        asked = {"profile": "exact", "quiet": True, "time": times(1.0)}
        compress_run.compress_run(tools.run, None, place, **asked)
    return place


def test_the_bundle_answers_as_the_run_does(tools: Tools, bundle: Path) -> None:
    made = load_bundle(bundle)
    mine = Predictor(made).frame(tools.table, part=slice(0, 40))
    own = Predictor(tools.run).frame(tools.table, part=slice(0, 40))
    assert (mine["fault"] == own["fault"]).all()
    np.testing.assert_allclose(mine["fault.probability"], own["fault.probability"], atol=1e-4)
    for branch in made.branches.values():
        assert "f32" in {v.precision for v in branch.variants}


def test_the_report_has_a_row_for_every_candidate(bundle: Path) -> None:
    page, data = pages_of(bundle)
    report = json.loads(data.read_text())
    rows = [(r["branch"], r["candidate"], r["verdict"]) for r in report["candidates"]]
    graphs = ("table", "note", "fusion and heads")
    assert [r for r in rows if r[2] == "reference"] == [
        (g, "torch f32 eager", "reference") for g in graphs
    ]
    assert len(rows) == 9
    assert len([r for r in rows if r[2] == "chosen"]) == 3
    assert report["profile"] == "exact"
    for row in report["candidates"]:
        if row["guard"]:
            assert min(row["guard"]["agreement"].values()) >= 0.995
    assert report["feed_ms"] > 0
    text = page.read_text()
    assert "openvino f32" in text
    assert "At least 99.5 % of decisions" in text
    manifest = load_bundle(bundle).archive
    assert manifest is not None
    gate = manifest.manifest.notes["parity"]
    assert {way["tasks"]["fault"]["same"] for way in gate.values()} == {1.0}
    lines = say_changes(load_bundle(bundle)).splitlines()
    assert lines[0].split() == ["task", "figure", "before", "after", "change"]
    assert any("90 validation rows" in line for line in lines)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"profile": "fast"}, "is none of latency"),
        ({"max_loss": -1.0}, "no loss to allow"),
        ({"minutes": 0.0}, "no time to search"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    tools: Tools, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        ma.compress(tools.run, out=tmp_path / "b.zip", **asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"profile": "fast"}, "is none of latency"),
        ({"sign": "no.pem"}, "no.pem: cannot be read"),
        ({"minutes": -1.0}, "no time to search"),
    ],
)
def test_wrong_options_are_said_before_the_run_is_read(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises((BundleError, JobError), match=said):
        ma.compress(tmp_path / "no run", out=tmp_path / "b.zip", **asked)


def test_an_adapter_that_is_not_there_is_said(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="line3"):
        ma.compress(tools.run, out=tmp_path / "b.zip", adapter="line3")


def test_a_bundle_is_not_compressed_again(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is a bundle already"):
        ma.compress(load_bundle(bundle), out=tmp_path / "b.zip")


def test_a_run_that_buys_by_a_policy_is_refused(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress_run, "plan_of", lambda run: object())
    with pytest.raises(BundleError, match="Compress the run that it was before `economize`"):
        ma.compress(tools.run, out=tmp_path / "b.zip")
