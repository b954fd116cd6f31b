"""Repairs of an ONNX graph: what an engine cannot run, and what a machine has left in it."""

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

PRODUCER = "modalloy"


def repair(model: ir.Model, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rewrite a graph in place so that ONNX Runtime and OpenVINO run it alike.

    inputs, outputs: what its ports are to be called, in their order.
    """
    tidy(model)
    for graph in graphs_in(model):
        for node in list(graph):
            if node.op_type == "Where" and node.outputs[0].dtype == ir.DataType.BOOL:
                choose_by_logic(graph, node)
    name_ports(model.graph, inputs, outputs)
    strip(model)


def tidy(model: ir.Model) -> None:
    """Compute what is constant, and remove what is there twice or for nothing.

    The exporter's own rules do more, and too much: they take a term below 1e-8 for zero and a
    factor within 1e-5 of one for one, so that a root's small addend, say, is lost (onnxscript 0.7).
    """
    common.InlinePass()(model)
    optimizer.fold_constants(model)
    ir.passes.Sequential(
        common.IdentityEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(model)


def name_ports(graph: ir.Graph, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Call what goes in and comes out by these names.

    Torch names them first and then separates what is passed through from what went in, by which an
    input can lose its name.
    """
    taken = {*inputs, *outputs}
    ports = {*graph.inputs, *graph.outputs}
    assert len(ports) == len(inputs) + len(outputs), "a port is passed through or stands twice"
    for value in values_in(graph):
        if value not in ports and value.name in taken:
            value.name = f"inner.{value.name}"
    for values, names in ((graph.inputs, inputs), (graph.outputs, outputs)):
        for number, value in enumerate(values):
            value.name = f"port.{number}"  # names that change places are never given twice
        for value, name in zip(values, names, strict=True):
            value.name = name


def values_in(graph: ir.Graph) -> list[ir.Value]:
    """All that a graph computes or holds."""
    return [*(v for node in graph for v in node.outputs), *graph.initializers.values()]


def graphs_in(model: ir.Model) -> list[ir.Graph]:
    """The graph of a model, and those inside its loops and branches."""
    found = [model.graph]
    for graph in found:
        for node in graph:
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.GRAPH:
                    found.append(attribute.as_graph())
                elif attribute.type == ir.AttributeType.GRAPHS:
                    found.extend(attribute.as_graphs())
    return found


def choose_by_logic(graph: ir.Graph, node: ir.Node) -> None:
    """`Where` of truth values, which ONNX Runtime has not, as (c and a) or (not c and b)."""
    condition, yes, no = node.inputs
    first = made("And", [condition, yes])
    otherwise = made("Not", [condition])
    second = made("And", [otherwise.outputs[0], no])
    either = made("Or", [first.outputs[0], second.outputs[0]])
    nodes = [first, otherwise, second, either]
    for number, own in enumerate(nodes):
        own.name = f"{node.name}.{number}"
        own.outputs[0].name = f"{node.outputs[0].name}.{number}"
    old, new = node.outputs[0], either.outputs[0]
    new.shape = old.shape
    name = old.name
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, [old], [new])
    new.name = name


def made(kind: str, inputs: list[ir.Value | None]) -> ir.Node:
    """A node of logic."""
    node = ir.node(kind, inputs=inputs)
    node.outputs[0].dtype = ir.DataType.BOOL
    return node


def strip(model: ir.Model) -> None:
    """Remove all that is for people or says where and by what a graph was written: the same network
    gives the same bytes on every machine.
    """
    model.producer_name, model.producer_version, model.doc_string = PRODUCER, None, None
    model.metadata_props.clear()
    for graph in graphs_in(model):
        graph.doc_string = None
        graph.metadata_props.clear()
        for node in graph:
            node.doc_string = None
            node.metadata_props.clear()
            for value in node.outputs:
                plain(value)
        for value in (*graph.inputs, *graph.initializers.values()):
            plain(value)
            if value.const_value is not None:
                value.const_value.doc_string = None
                value.const_value.metadata_props.clear()


def plain(value: ir.Value) -> None:
    """Remove what is said of a value for people."""
    value.doc_string = None
    value.metadata_props.clear()
