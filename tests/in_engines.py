"""A graph's bytes in, its sessions out, and whether they answer as a module of torch does."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from modalloy.deploy.onnx_graphs import Graph
from modalloy.graphs.onnx_session import OnnxSession
from modalloy.graphs.openvino_session import OpenvinoSession
from modalloy.graphs.session import Session


def sessions_of(data: bytes) -> dict[str, Session]:
    """An ONNX graph in each engine, in float32 on one thread."""
    return {
        "onnxruntime": OnnxSession(data, threads=1),
        "openvino": OpenvinoSession([data], precision="f32", threads=1),
    }


@torch.no_grad()
def answers_alike(
    graph: Graph, session: Session, values: Mapping[str, Tensor], *, atol: float = 1e-4
) -> None:
    """Raise AssertionError where a session answers otherwise than the module that the graph is of.

    What a mask hides may differ. atol: of numbers about 1; larger ones in proportion.
    """
    wanted = {n: x.numpy() for n, x in graph.module(*(values[n] for n in graph.inputs)).items()}
    found = session.run({n: x.numpy() for n, x in values.items()})
    assert found.keys() == wanted.keys()
    for name, want in wanted.items():
        have = found[name]
        assert (have.shape, have.dtype) == (want.shape, want.dtype), name
        if want.dtype.kind != "f":
            assert np.array_equal(have, want), name
            continue
        if name == "x_BTD":
            have, want = have[wanted["mask_BT"]], want[wanted["mask_BT"]]
        assert np.isfinite(have).all(), name
        np.testing.assert_allclose(have, want, atol=atol, rtol=atol, err_msg=name)
