"""The whole way of `export`: a run in, a bundle out that decides as it does, or nothing."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from modalloy.answer.golden_rows import Packed, golden_of
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import Bundle, load_bundle
from modalloy.bundle.golden_note import GOLDEN, golden_note
from modalloy.bundle.signature import private_key
from modalloy.bundle.write import refuse_other, write_bundle
from modalloy.deploy.export_rows import ExportRows, example_of, rows_of
from modalloy.deploy.exportable import refuse_unexportable
from modalloy.deploy.exported import Exported
from modalloy.deploy.model_server import Server
from modalloy.deploy.onnx_graphs import Graph, graphs_of, to_onnx
from modalloy.deploy.parity import Parity, parity
from modalloy.deploy.parity_page import page_beside, write_page
from modalloy.deploy.server_folder import folder_beside, refuse_folder, server_beside
from modalloy.deploy.unwritable import where_of
from modalloy.errors import BundleError, JobError
from modalloy.graphs.branch import FUSION, Branch, Variant
from modalloy.machine.imports import require
from modalloy.machine.progress import Bar
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.runs.run import Run, refuse_pretrained
from modalloy.runs.saving import weights_of
from modalloy.table.table import Table

Backend = Literal["onnx", "openvino", "torch"]
NEEDS: dict[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "onnxruntime", "openvino"),
    "torch": (),
}


def export_run(
    run: Run,
    out: Path,
    *,
    backend: Backend = "onnx",
    sign: Path | None = None,
    server: Server | None = None,
    table: Table | None = None,
    without_rows: bool = False,
    quiet: bool = False,
) -> Bundle:
    """See `verbs.export`."""
    refuse_export(run, out, backend, server, sign)
    predictor = Predictor(run)
    rows = rows_of(predictor, table, quiet=quiet)
    made = exported(predictor, rows, backend, quiet=quiet)
    judged = judge(predictor, made, rows, out, quiet=quiet)
    beside = (
        nullcontext()
        if server is None
        else server_beside(folder_beside(out, server), server, made.branches, made.files)
    )
    with beside:
        given = (predictor, made, rows, judged, out)
        return write_exported(*given, sign=sign, without_rows=without_rows)


def judge(
    predictor: Predictor, made: Exported, rows: ExportRows, out: Path, *, quiet: bool = True
) -> list[Parity]:
    """How each way to compute an export agrees with the run.

    BundleError where one decides otherwise, which names a page beside `out` with the rows.
    """
    run = predictor.run
    found = [
        parity(label, predictor, engine, rows, quiet=quiet) for label, engine in made.engines(run)
    ]
    wrong = next((one for one in found if not one.fine), None)
    if wrong is None:
        return found
    page = page_beside(out)
    write_page(page, run.job, found, rows)
    counts = [f"{100 * v.share:.1f} % of '{t}'" for t, v in wrong.verdicts.items() if not v.fine]
    raise BundleError(
        f"{out}: is not written, because {wrong.label} does not decide as the run does: "
        f"{', '.join(counts)} is the same, on {wrong.rows} {wrong.said}. The rows that differ are "
        f"on {page}."
    )


def write_exported(
    predictor: Predictor,
    made: Exported,
    rows: ExportRows,
    judged: Sequence[Parity],
    out: Path,
    *,
    sign: Path | None = None,
    notes: Mapping[str, Any] | None = None,
    without_rows: bool = False,
) -> Bundle:
    """Write what was judged as a bundle. notes: more for its manifest. without_rows: no golden
    rows, which the manifest then says.
    """
    run = predictor.run
    golden = Packed(0, b"") if without_rows else golden_rows_of(predictor, made, rows)
    parts = made.parts(run) | ({GOLDEN: golden.data} if golden.rows else {})
    told = made.notes(judged) | golden_note(golden.rows, asked=without_rows)
    write_bundle(out, parts, {**told, **(notes or {})}, sign=sign)
    return load_bundle(out)


def golden_rows_of(predictor: Predictor, made: Exported, rows: ExportRows) -> Packed:
    """Golden rows among these, with what the run and the first way to compute it say of them."""
    run = predictor.run
    plain = Loader(rows.loader.table, run.job, run.readers, {}, hidden=run.hidden)
    first = next((made.engine(run, way) for way in made.ways().values()), None)
    return golden_of(predictor.engine, plain, rows.which, first)


def refuse_export(run: Run, out: Path, backend: str, server: str | None, sign: Path | None) -> None:
    """Refuse what could not be exported, before anything is worked out."""
    refuse_options(out, backend, server, sign)
    if isinstance(run, Bundle):
        raise BundleError(
            f"{run.path}: is a bundle already; export the run that it was made from again."
        )
    if backend == "torch":
        refuse_pretrained(run)
    else:
        refuse_unexportable(run)


def refuse_options(out: Path, backend: str, server: str | None, sign: Path | None) -> None:
    """Refuse options that no run could be exported with, before the run is read."""
    if backend not in get_args(Backend):
        raise JobError(f"backend '{backend}' is none; it is one of {', '.join(get_args(Backend))}.")
    if server is not None and (server not in get_args(Server) or backend == "torch"):
        raise JobError(
            f"server '{server}' is none for the backend {backend}; it is one of "
            f"{', '.join(get_args(Server))}, which serve graphs."
        )
    for module in NEEDS[backend]:
        require(module, "export", f"the backend {backend}")
    if sign is not None:
        private_key(sign)
    refuse_other(out)
    if server is not None:
        refuse_folder(folder_beside(out, cast("Server", server)))


def exported(
    predictor: Predictor, rows: ExportRows, backend: Backend, *, quiet: bool = True
) -> Exported:
    """The graphs of a run, and all that answering with them needs.

    RunError for an operation that a backend cannot do.
    """
    run, model = predictor.run, predictor.model
    absent = absent_of(model)
    if backend == "torch":
        return Exported({}, {}, absent, weights_of(model))
    example = Batch.of(example_of(run, rows.loader.table), model.device)
    pooled = pooled_inputs(predictor)
    branches: dict[str, Branch] = {}
    files: dict[str, bytes] = {}
    with Bar("exporting", len(model.inputs) + 1, quiet=quiet) as bar:
        for graph in graphs_of(model, example, pooled):
            branch, own = branch_of(graph, to_onnx(graph), file_stem(graph.name, model.inputs))
            if backend == "openvino":
                branch, own = with_ir(branch, own)
            branches[graph.name] = branch
            files |= own
            bar.advance(1)
    return Exported(branches, files, absent)


def branch_of(graph: Graph, data: bytes, stem: str) -> tuple[Branch, dict[str, bytes]]:
    """A graph in ONNX as a branch that ONNX Runtime runs, and its file."""
    name = f"{stem}.onnx"
    variants = (Variant("onnxruntime", (name,)),)
    return Branch(graph.name, graph.inputs, graph.outputs, graph.maps, variants), {name: data}


def with_ir(branch: Branch, files: Mapping[str, bytes]) -> tuple[Branch, dict[str, bytes]]:
    """The branch with OpenVINO's own form ahead of ONNX, which runs anywhere."""
    from modalloy.deploy.openvino_graphs import to_ir

    name = branch.variants[-1].files[0]
    stem = name.removesuffix(".onnx")
    xml, weights = to_ir(files[name], where=where_of(branch.name))
    first = Variant("openvino", (f"{stem}.xml", f"{stem}.bin"))
    own = {f"{stem}.xml": xml, f"{stem}.bin": weights}
    return replace(branch, variants=(first, *branch.variants)), {**files, **own}


def absent_of(model: Model) -> dict[str, np.ndarray]:
    """What stands for a missing cell of each media input, (D,)."""
    media = [n for n in model.inputs if n != TABLE]
    return {n: model.encoder(n).absent_D.detach().float().cpu().numpy() for n in media}


def pooled_inputs(predictor: Predictor) -> set[str]:
    """Inputs whose trunk's own vectors the run's answers need."""
    likeness = predictor.likeness
    return {*predictor.blend.widths, *(() if likeness is None else likeness.pooled)}


def file_stem(name: str, inputs: Sequence[str]) -> str:
    """Where a graph lies in a bundle: inputs by number, since a column's name may be anything."""
    return "graphs/heads" if name == FUSION else f"graphs/{inputs.index(name)}"
