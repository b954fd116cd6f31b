"""A run's network as graphs in float32, and what real rows put into them: where a search begins."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modalloy.answer.graph_engine import GraphEngine
from modalloy.deploy.feeds import Feed
from modalloy.deploy.onnx_graphs import Graph


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
