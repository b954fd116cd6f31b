"""The whole way of `compress`: a run in, the fastest bundle out that keeps its promise."""

from dataclasses import replace
from pathlib import Path

import torch

from modalloy.answer.graph_engine import GraphEngine
from modalloy.answer.predictor import Predictor
from modalloy.answer.torch_engine import TorchEngine
from modalloy.bundle.bundled import Bundle
from modalloy.bundle.write import refuse_other
from modalloy.deploy.branch_search import Bench, search_branch
from modalloy.deploy.budget import Budget
from modalloy.deploy.calibration_rows import Rows, given_table, own_table
from modalloy.deploy.candidates import candidates, installed
from modalloy.deploy.compressed_page import write_report
from modalloy.deploy.compressed_report import NOTE, Report, before_after
from modalloy.deploy.contract import Contract, Profile
from modalloy.deploy.export_rows import ExportRows, example_of
from modalloy.deploy.export_run import (
    absent_of,
    branch_of,
    file_stem,
    pooled_inputs,
    write_exported,
)
from modalloy.deploy.exportable import refuse_unexportable
from modalloy.deploy.feeds import feeds_of
from modalloy.deploy.guard import Guard, Judged
from modalloy.deploy.network import Network
from modalloy.deploy.one_changed import OneChanged
from modalloy.deploy.onnx_graphs import graphs_of, to_onnx
from modalloy.deploy.packing import made_of, sizes
from modalloy.deploy.picking import pick, sessions_of, told
from modalloy.deploy.speed import Timer, timed
from modalloy.deploy.tried import Tried
from modalloy.deploy.whole_speed import whole_speed
from modalloy.errors import BundleError, JobError, RunError
from modalloy.graphs.open import session_of
from modalloy.machine.imports import require
from modalloy.machine.peak import peak, peaks_file
from modalloy.machine.progress import Bar
from modalloy.model.tokens import Batch
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
    contract = Contract(profile, max_loss)
    contract.check()
    refuse_compress(run, out, minutes)
    predictor = Predictor(run)
    rows = own_table(predictor) if table is None else given_table(predictor, table)
    budget = Budget(minutes)
    threads = torch.get_num_threads()
    network = graphed(predictor, rows, threads, quiet=quiet)
    guard = Guard(predictor, rows, TorchEngine(predictor.model), contract)
    limit = peak(threads=threads, kept=peaks_file())
    bench = Bench(profile, threads, budget, limit, network.base, guard, run.job.seed, time)
    refuse_base(run, guard.judge(network.base))
    found = search(bench, network, quiet=quiet)
    picked = pick(bench, found)
    engine = OneChanged(network.base, sessions_of(bench, picked.tried), {})
    speed = whole_speed(guard, TorchEngine(predictor.model), engine, time)
    found = told(found, picked)
    megabytes = sizes(network, picked, small=profile == "size")
    compared = before_after(run, rows, picked.judged, speed, megabytes, picked.said)
    report = Report(contract, limit, rows.source, compared, speed, found)
    made = made_of(network, picked, small=profile == "size")
    golden = ExportRows(rows.loader, rows.guard, rows.source)
    notes = {NOTE: compared.as_dict()}
    bundle = write_exported(predictor, made, golden, (), out, sign=sign, notes=notes)
    write_report(bundle.path, run.job, report)
    return bundle


def refuse_compress(run: Run, out: Path, minutes: float | None) -> None:
    """Refuse what could not be compressed, before anything is worked out."""
    if isinstance(run, Bundle):
        raise BundleError(
            f"{run.path}: is a bundle already; compress the run that it was made from."
        )
    refuse_unexportable(run)
    if minutes is not None and not 0.0 < minutes < float("inf"):
        raise JobError(f"minutes: {minutes:g} is no time to search in; give more than 0.")
    for module in ("onnx", "onnxscript"):
        require(module, "export", "compress")
    if not installed():
        raise JobError(
            "compress: no engine that a bundle runs on is installed; run: pip install "
            "'modalloy[export]'"
        )
    refuse_other(out)


def refuse_base(run: Run, judged: Judged) -> None:
    """RunError where even graphs in float32 do not keep the contract."""
    if not judged.passed:
        raise RunError(
            f"{run.path}: its graphs in float32 do not answer as the run does "
            f"({judged.reasons[0]}), so nothing can be built on them; answer with the run itself, "
            "and tell the makers of modalloy which encoders it has."
        )


def graphed(predictor: Predictor, rows: Rows, threads: int, *, quiet: bool) -> Network:
    """A run's graphs in float32, run by the first engine that is here."""
    run, model = predictor.run, predictor.model
    example = Batch.of(example_of(run, rows.loader.table), model.device)
    graphs, data = {}, {}
    with Bar("writing graphs", len(model.inputs) + 1, quiet=quiet) as bar:
        for graph in graphs_of(model, example, pooled_inputs(predictor)):
            graphs[graph.name], data[graph.name] = graph, to_onnx(graph)
            bar.advance(1)
    branches, sessions = {}, {}
    for name, graph in graphs.items():
        branch, _ = branch_of(graph, data[name], file_stem(name, model.inputs))
        variant = replace(branch.variants[0], engine=installed()[0])
        branches[name] = replace(branch, variants=(variant,))
        sessions[name] = session_of(variant, [data[name]], threads=threads)
    absent = absent_of(model)
    given = (run.job, run.readers, run.targets, branches, sessions, absent)
    base = GraphEngine(*given)
    return Network(graphs, data, feeds_of(base, rows.loader, rows.calibrate), base, absent)


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
    return found


def operations_in(data: bytes) -> set[str]:
    """Kinds of the nodes in an ONNX graph."""
    import onnx

    model = onnx.load_from_string(data)
    nodes = [*model.graph.node, *(n for f in model.functions for n in f.node)]
    return {node.op_type for node in nodes}
