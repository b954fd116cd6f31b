"""Bundles of small runs, for tests of whatever answers with them."""

from pathlib import Path

import numpy as np

from conftest import make_job, write_table
from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import BRANCHES, Bundle, load_bundle, parts_of
from modalloy.bundle.write import write_bundle
from modalloy.deploy.onnx_graphs import graphs_of, to_onnx
from modalloy.graphs.branch import Branch, Variant
from modalloy.job.job_file import load_job
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from untrained import untrained


def bundle_of(run: Run, path: Path) -> Bundle:
    """A run as a bundle."""
    asked = Predictor(run)
    model, loader = asked.model, asked.open(open_table(run.job.table)).loader
    batch = Batch.of(loader.batch(np.arange(16)), model.device)
    pooled = {*asked.blend.widths, *(asked.likeness.pooled if asked.likeness else ())}
    branches, files = [], {}
    for number, graph in enumerate(graphs_of(model, batch, pooled)):
        name = f"graphs/{number}.onnx"
        files[name] = to_onnx(graph)
        variants = (Variant("onnxruntime", (name,)),)
        branches.append(Branch(graph.name, graph.inputs, graph.outputs, graph.maps, variants))
    media = [n for n in model.inputs if n != TABLE]
    absent = {n: model.encoder(n).absent_D.detach().cpu().numpy() for n in media}
    notes = {BRANCHES: [b.state() for b in branches]}
    write_bundle(path, parts_of(run, absent) | files, notes)
    return load_bundle(path)


def small_bundle(folder: Path, columns: tuple[str, ...] = ("load", "note")) -> Bundle:
    """The bundle of a run that hardly learned, over columns of the small table."""
    table = write_table(folder)
    job = load_job(make_job(table, columns=columns))
    return bundle_of(untrained(folder / "run", table, job=job), folder / "model.zip")
