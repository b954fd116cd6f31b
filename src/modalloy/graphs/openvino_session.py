"""A graph in ONNX or OpenVINO's own form, run by OpenVINO."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modalloy.graphs.branch import Precision
from modalloy.graphs.session import Session
from modalloy.readers.batch import Arrays

if TYPE_CHECKING:
    import openvino

HINTS = {"f32": "f32", "bf16": "bf16", "f16": "f16", "int8": "f32"}


class OpenvinoSession(Session):
    """A graph on an OpenVINO device, such as `CPU`.

    files: an ONNX file, or the two of OpenVINO's form. The precision is always told: left alone,
    OpenVINO takes bfloat16 where a processor has it, and answers depend on the machine. An int8
    graph computes the rest in float32: with the f16 hint it takes a reference path that is some
    thousand times slower. Source: OpenVINO 2026.4, measured.
    """

    def __init__(
        self,
        files: Sequence[bytes],
        *,
        precision: Precision,
        threads: int,
        device: str = "CPU",
    ) -> None:
        import openvino

        core = openvino.Core()
        weights = openvino.Tensor(np.frombuffer(files[1], np.uint8)) if len(files) > 1 else None
        model = core.read_model(files[0], weights) if weights else core.read_model(files[0])
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        if device != "CPU":
            settings = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
        self.compiled = core.compile_model(model, device, settings)
        self.inputs = tuple(name_of(p) for p in self.compiled.inputs)
        self.outputs = tuple(name_of(p) for p in self.compiled.outputs)
        self._own = threading.local()

    def run(self, values: Arrays) -> Arrays:
        """See `Session.run`."""
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self.compiled.create_infer_request()
        request.infer({n: np.ascontiguousarray(values[n]) for n in self.inputs})
        return {n: request.get_tensor(n).data.copy() for n in self.outputs}


def name_of(port: "openvino.ConstOutput") -> str:
    """The name that a graph gives an input or output.

    An operation that does nothing leaves its name on what it was done to, which then has several.
    """
    name = port.node.friendly_name.removesuffix("/sink_port_0")
    return name if name in port.names else port.any_name
