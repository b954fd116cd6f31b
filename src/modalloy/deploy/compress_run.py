"""The whole way of `compress`: a run in, the fastest bundle out that keeps its promise."""

from pathlib import Path
from typing import NamedTuple, cast

import torch

from modalloy.answer.predictor import Predictor
from modalloy.answer.torch_engine import TorchEngine
from modalloy.bundle.bundled import Bundle
from modalloy.bundle.signature import private_key
from modalloy.bundle.write import refuse_other
from modalloy.deploy.branch_search import Bench, search_branch
from modalloy.deploy.budget import Budget
from modalloy.deploy.calibration_rows import Rows, given_table, own_table, set_apart
from modalloy.deploy.candidates import NO_INT16, candidates, installed, matters
from modalloy.deploy.compressed_page import write_report
from modalloy.deploy.compressed_report import NOTE, Report, before_after
from modalloy.deploy.contract import Contract, Profile
from modalloy.deploy.export_rows import ExportRows
from modalloy.deploy.export_run import judge, write_exported
from modalloy.deploy.exportable import refuse_unexportable
from modalloy.deploy.guard import Guard, Judged
from modalloy.deploy.network import Network, graphed, operations_in
from modalloy.deploy.one_changed import Kept
from modalloy.deploy.packing import made_of, megabytes
from modalloy.deploy.picking import Picked, engine_of, pick, sessions_of, told
from modalloy.deploy.smaller_nets import Alternative, smaller_nets
from modalloy.deploy.speed import Timer, timed
from modalloy.deploy.torch_compared import torch_rows
from modalloy.deploy.tried import Tried
from modalloy.deploy.whole_speed import Whole, whole_speed
from modalloy.errors import BundleError, JobError, RunError
from modalloy.machine.imports import require
from modalloy.machine.peak import peak, peaks_file
from modalloy.machine.progress import Bar
from modalloy.policy.plan import plan_of
from modalloy.runs.run import Run
from modalloy.table.table import Table


def compress_run(
    run: Run,
    table: Table | None,
    out: Path,
    *,
    profile: Profile = "latency",
    max_loss: float = 0.5,
    minutes: float | None = None,
    sign: Path | None = None,
    quiet: bool = False,
    time: Timer = timed,
) -> Bundle:
    """See `verbs.compress`. time: how two ways are timed beside one another."""
    refuse_options(out, profile, max_loss, minutes, sign)
    refuse_compress(run)
    contract = Contract(profile, max_loss)
    predictor, budget = Predictor(run), Budget(minutes)
    most = contract.rows()
    if table is None:
        rows = own_table(predictor, most=most)
    else:
        rows = given_table(predictor, table, most=most)
    levers = minutes is not None and profile != "exact"
    rows = set_apart(rows) if levers else rows
    threads = torch.get_num_threads()
    network = graphed(predictor, predictor.model, rows, threads, quiet=quiet)
    guard = Guard(predictor, rows, TorchEngine(predictor.model), contract)
    limit = peak(threads=threads, kept=peaks_file())
    bench = Bench(profile, threads, budget, limit, network.base, guard, run.job.seed, time)
    refuse_base(run, guard.judge(network.base, precision="f32"))
    found = search(bench, network, quiet=quiet)
    best = taken_of(bench, predictor, network, pick(bench, found))
    tried = [one.dropped() for one in told(found, best.picked)]
    found.clear()
    bench.kept = Kept()
    if levers:
        more, best = shortened(bench, predictor, rows, best)
        tried = [*gave_way(tried, best.network is not network), *more]
    made = made_of(best.network, best.picked, small=profile == "size")
    size = (megabytes(network.data.values()), megabytes(made.files.values()))
    compared = before_after(run, rows, best.picked, best.speed, size, contract)
    golden = ExportRows(rows.loader, rows.guard, rows.source)
    gated = profile == "exact" or (best.network is network and all_float32(best.picked))
    agreed = judge(predictor, made, golden, out, quiet=quiet) if gated else ()
    notes = {NOTE: compared.as_dict()}
    bundle = write_exported(predictor, made, golden, agreed, out, sign=sign, notes=notes)
    given = (contract, limit, rows.source, compared, best.speed, tried)
    write_report(bundle.path, run.job, Report(*given, said=(NO_INT16, *guard.said())))
    return bundle


def all_float32(picked: Picked) -> bool:
    """Whether the bundle computes in float32 alone, so that it has to decide as the run does."""
    return all(t.candidate.precision == "f32" for t in picked.tried.values())


class Taken(NamedTuple):
    """What the bundle is made of, and how fast it answers."""

    network: Network
    picked: Picked
    speed: Whole


def taken_of(bench: Bench, predictor: Predictor, network: Network, picked: Picked) -> Taken:
    """What was picked of a network, timed as a whole beside the run."""
    engine = engine_of(network.base, sessions_of(bench, picked.tried))
    before = TorchEngine(predictor.model)
    return Taken(network, picked, whole_speed(bench.guard, before, engine, bench.time))


def shortened(
    bench: Bench, predictor: Predictor, rows: Rows, best: Taken
) -> tuple[list[Tried], Taken]:
    """The rows of smaller networks, and the best of all."""
    tried, passed = smaller_nets(bench, predictor, rows, best.picked)
    name = ""
    for one in passed:
        if better(one, best, bench.profile):
            best, name = Taken(one.network, one.picked, one.speed), one.row.label
    told = [t.now("chosen", "best for the profile") if t.label == name else t for t in tried]
    return told, best


def gave_way(tried: list[Tried], gone: bool) -> list[Tried]:
    """The rows of the network as it was, where a smaller one was taken."""
    if not gone:
        return tried
    why = "taken, then computed like this in a smaller network"
    return [t.now("passed", why) if t.verdict == "chosen" else t for t in tried]


def better(one: Alternative, best: Taken, profile: Profile) -> bool:
    """Whether a smaller network is better for a profile than what is best so far: fewer bytes, or
    so much faster that the intervals of both do not overlap.
    """
    if profile == "size":
        sizes = [
            megabytes(made_of(x.network, x.picked, small=True).files.values()) for x in (one, best)
        ]
        return sizes[0] < sizes[1]
    if profile == "throughput":
        return one.speed.faster_many.low > best.speed.faster_many.high
    return one.speed.faster_one.low > best.speed.faster_one.high


def refuse_compress(run: Run) -> None:
    """Refuse a run that could not be compressed, before anything is worked out."""
    if isinstance(run, Bundle):
        raise BundleError(
            f"{run.path}: is a bundle already; compress the run that it was made from."
        )
    refuse_unexportable(run)
    if plan_of(run) is not None:
        raise BundleError(
            f"{run.path}: buys columns by what `economize` certified for its own answers, and a "
            "compressed bundle gives others. Compress the run that it was before `economize`; "
            "or `export` this one, which keeps its answers and what it buys."
        )


def refuse_options(
    out: Path, profile: str, max_loss: float, minutes: float | None, sign: Path | None
) -> None:
    """Refuse options that no run could be compressed with, before the run is read."""
    Contract(cast("Profile", profile), max_loss).check()
    if minutes is not None and not 0.0 < minutes < float("inf"):
        raise JobError(f"minutes: {minutes:g} is no time to search in; give more than 0.")
    for module in ("onnx", "onnxscript"):
        require(module, "export", "compress")
    if not installed():
        raise JobError(
            "compress: no engine that a bundle runs on is installed; run: pip install "
            "'modalloy[export]'"
        )
    if sign is not None:
        private_key(sign)
    refuse_other(out)


def refuse_base(run: Run, judged: Judged) -> None:
    """RunError where even graphs in float32 do not keep the contract."""
    if not judged.passed:
        raise RunError(
            f"{run.path}: its graphs in float32 do not answer as the run does "
            f"({judged.reasons[0]}), so nothing can be built on them; answer with the run itself, "
            "and tell the makers of modalloy which encoders it has."
        )


def search(bench: Bench, network: Network, *, quiet: bool) -> dict[str, list[Tried]]:
    """What was tried of each graph."""
    kinds = {name: operations_in(data) for name, data in network.data.items()}
    exact = bench.profile == "exact"
    count = sum(len(list(candidates(n, k, exact_only=exact))) for n, k in kinds.items())
    found = {}
    with Bar("trying candidates", count, quiet=quiet) as bar:
        for name, feed in network.feeds.items():
            given = (network.graphs[name], network.data[name], kinds[name], feed)
            found[name] = search_branch(bench, *given, tick=lambda: bar.advance(1))
            if matters(name, kinds[name]):
                compiled = bench.budget.last is not None
                found[name] += torch_rows(bench, network.graphs[name], feed, compiled=compiled)
    return found
