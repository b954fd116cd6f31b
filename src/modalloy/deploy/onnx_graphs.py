"""A network's parts as ONNX graphs, for any number of rows and texts, sounds and series of any
length.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, export

from modalloy.deploy.changes import change_of
from modalloy.deploy.modules import (
    EncoderGraph,
    HeadsGraph,
    arrays_of,
    example_tokens,
    lengths_in,
)
from modalloy.deploy.onnx_repair import repair
from modalloy.deploy.unwritable import no_onnx, where_of
from modalloy.errors import RunError
from modalloy.graphs.branch import FUSION, Port
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE

OPSET = 20
LARGEST = 2_000_000_000  # bytes of weights: protobuf reads no message of 2 GiB
AT_LEAST = 2  # rows of an example: what has the size 1 there is taken to have it always


class Graph(NamedTuple):
    """A graph and what goes in and comes out. maps: shapes (F, H, W) of its feature maps."""

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    shapes: tuple[dict[int, Any], ...]
    inputs: dict[str, Port]
    outputs: tuple[str, ...]
    maps: tuple[tuple[int, ...], ...]


@torch.no_grad()
def graphs_of(model: Model, example: Batch, pooled: Collection[str]) -> Iterator[Graph]:
    """The encoder of each input that has one of its own, then fusion and heads.

    example: rows of which every input is there in at least two. pooled: inputs whose trunk's
    vectors are wanted.
    """
    wanted = {model.shared.get(name, name) for name in pooled}
    for name in model.inputs:
        if name not in model.shared:
            values = example_values(name, example)
            yield encoder_graph(name, model.encoder(name), values, pooled=name in wanted)
    yield heads_graph(model, example)


def example_values(name: str, example: Batch) -> dict[str, Tensor]:
    """What goes into the graph of an input's encoder, of the rows that have it."""
    values = dict(example.values[name])
    if name == TABLE:
        return values | {"present": example.present[TABLE]}
    some = example.present[name].nonzero().squeeze(1)
    return {k: v[some] for k, v in values.items()}


@torch.no_grad()
def encoder_graph(
    name: str, encoder: Encoder, values: Mapping[str, Tensor], *, pooled: bool
) -> Graph:
    """The graph of one input's encoder. values: as `EncoderGraph` takes them, of a few rows."""
    names = sorted(values)
    rows = len(values[names[0]])
    assert rows >= AT_LEAST, f"'{name}' is there in too few rows of the example"
    module = EncoderGraph(encoder, names, pooled=pooled).eval()
    lengths = {} if isinstance(encoder, TableEncoder) else dict(lengths_in(values))
    shapes = tuple(
        {0: Dim("rows"), **({lengths[k]: Dim.DYNAMIC} if k in lengths else {})} for k in names
    )
    return graph_of(name, module, {k: values[k] for k in names}, shapes)


@torch.no_grad()
def heads_graph(model: Model, example: Batch) -> Graph:
    """The graph of fusion and heads."""
    given = arrays_of(model, example_tokens(model, example), example)
    names = sorted(given)
    module = HeadsGraph(model, names).eval()
    shapes = tuple(
        {0: Dim("rows"), **({1: Dim.DYNAMIC} if k.split(".")[0] in ("x", "mask", "words") else {})}
        for k in names
    )
    return graph_of(FUSION, module, {k: given[k] for k in names}, shapes)


def graph_of(
    name: str, module: nn.Module, given: Mapping[str, Tensor], shapes: tuple[dict[int, Any], ...]
) -> Graph:
    """A graph with its ports, its outputs tried out on the example."""
    out = module(*given.values())
    ports = {
        k: Port(str(v.dtype).removeprefix("torch."), shape_of(v, varying))
        for (k, v), varying in zip(given.items(), shapes, strict=True)
    }
    maps = tuple(tuple(x.shape[1:]) for k, x in out.items() if k.startswith("map."))
    return Graph(name, module, tuple(given.values()), shapes, ports, tuple(out), maps)


def shape_of(x: Tensor, varying: Mapping[int, Any]) -> tuple[int, ...]:
    """The shape with -1 where it varies."""
    return tuple(-1 if d in varying else n for d, n in enumerate(x.shape))


def to_onnx(graph: Graph) -> bytes:
    """The graph in ONNX, weights inside. RunError where an operation cannot be written in it, and
    where the weights are more than one file can hold.
    """
    held = [*graph.module.parameters(), *graph.module.buffers()]
    weights = sum(x.numel() * x.element_size() for x in held)
    if weights > LARGEST:
        raise RunError(
            f"{where_of(graph.name)} has {weights} bytes of weights, and an ONNX file holds "
            f"{LARGEST} at most; choose a smaller encoder, or answer with the run itself where "
            "torch is installed."
        )
    with quietly():
        try:
            traced = export(
                graph.module, graph.example, dynamic_shapes=(graph.shapes,), strict=False
            )
            program = torch.onnx.export(
                traced,
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
                optimize=False,  # `repair` does, and loses nothing
            )
        except Exception as error:  # an exporter trips over anything
            change = change_of(graph.name, graph.module)
            raise no_onnx(graph.name, change, error) from error
    assert program is not None
    repair(program.model, list(graph.inputs), graph.outputs)
    return program.model_proto.SerializeToString()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what an exporter prints on its way."""
    was = logging.root.manager.disable
    logging.disable(logging.ERROR)  # of which an exporter's are told in the sentence
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was)
