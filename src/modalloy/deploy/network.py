"""A run's network as graphs in float32, and what real rows put into them: where a search begins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from modalloy.answer.graph_engine import GraphEngine
from modalloy.answer.predictor import Predictor
from modalloy.deploy.calibration_rows import Rows
from modalloy.deploy.candidates import installed
from modalloy.deploy.export_rows import example_of
from modalloy.deploy.export_run import absent_of, branch_of, file_stem, pooled_inputs
from modalloy.deploy.feeds import Feed, feeds_of
from modalloy.deploy.onnx_graphs import Graph, graphs_of, to_onnx
from modalloy.graphs.open import session_of
from modalloy.machine.progress import Bar
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class Network:
    """graphs, data: by name, as modules and in ONNX. feeds: of those that some row has an input
    for. base: the graphs as an engine. absent: media input -> what stands for a missing one, (D,).
    """

    graphs: Mapping[str, Graph]
    data: Mapping[str, bytes]
    feeds: Mapping[str, Feed]
    base: GraphEngine
    absent: Mapping[str, np.ndarray]


def graphed(
    predictor: Predictor, model: Model, rows: Rows, threads: int, *, quiet: bool
) -> Network:
    """A model's graphs in float32, run by the first engine that is here.

    RunError for an operation that no graph can hold.
    """
    run = predictor.run
    example = Batch.of(example_of(run, rows.loader.table), model.device)
    graphs, data, branches, sessions = {}, {}, {}, {}
    with Bar("writing graphs", len(model.inputs) + 1, quiet=quiet) as bar:
        for graph in graphs_of(model, example, pooled_inputs(predictor)):
            name = graph.name
            graphs[name], data[name] = graph, to_onnx(graph)
            branch, _ = branch_of(graph, data[name], file_stem(name, model.inputs))
            variant = replace(branch.variants[0], engine=installed()[0])
            branches[name] = replace(branch, variants=(variant,))
            sessions[name] = session_of(variant, [data[name]], threads=threads)
            bar.advance(1)
    absent = absent_of(model)
    base = GraphEngine(run.job, run.readers, run.targets, branches, sessions, absent)
    return Network(graphs, data, feeds_of(base, rows.loader, rows.calibrate), base, absent)


def operations_in(data: bytes) -> set[str]:
    """Kinds of the nodes in an ONNX graph."""
    import onnx

    model = onnx.load_from_string(data)
    nodes = [*model.graph.node, *(n for f in model.functions for n in f.node)]
    return {node.op_type for node in nodes}
