"""A graph's bytes in, its sessions out, and whether they answer as a module of torch does."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.onnx._internal.exporter._registration import ONNXRegistry

from modalloy.deploy.onnx_graphs import Graph, to_onnx
from modalloy.graphs.onnx_session import OnnxSession
from modalloy.graphs.openvino_session import OpenvinoSession
from modalloy.graphs.session import Session


def quick_onnx(graph: Graph) -> bytes:
    """What `to_onnx` writes."""
    with quick_export():
        return to_onnx(graph)


@contextmanager
def quick_export() -> Iterator[None]:
    """The exporter reads the source of its 500 translations once for all graphs of a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(registry))
        yield


FROM_TORCHLIB = ONNXRegistry.from_torchlib


@functools.cache
def registry(opset_version: int) -> ONNXRegistry:
    """The exporter's translations."""
    return FROM_TORCHLIB(opset_version=opset_version)


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

    What a mask hides may differ, and so may its width. atol: of numbers about 1; larger ones in
    proportion.
    """
    wanted = {n: x.numpy() for n, x in graph.module(*(values[n] for n in graph.inputs)).items()}
    found = session.run({n: x.numpy() for n, x in values.items()})
    assert found.keys() == wanted.keys()
    for name, want in wanted.items():
        have = found[name]
        if name == "mask_BT":
            have, want = have.sum(1), want.sum(1)
        elif name == "x_BTD":
            have, want = have[found["mask_BT"]], want[wanted["mask_BT"]]
        assert (have.shape, have.dtype) == (want.shape, want.dtype), name
        if want.dtype.kind != "f":
            assert np.array_equal(have, want), name
            continue
        assert np.isfinite(have).all(), name
        np.testing.assert_allclose(have, want, atol=atol, rtol=atol, err_msg=name)
