"""OpenVINO's candidates in floating point: float32, bfloat16 and float16."""

from typing import Any

from modalloy.deploy.candidate_builds.trial import tried
from modalloy.deploy.openvino_graphs import to_ir
from modalloy.graphs.branch import Precision

CAPABLE = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}


def build(graph: bytes, precision: Precision, feeds: list[bytes], threads: int) -> dict[str, Any]:
    """The graph in OpenVINO's own form; weights take half the room for f16.

    `native`: whether this processor multiplies such numbers; elsewhere they are widened first.
    """
    import openvino

    files = list(to_ir(graph, half=precision == "f16"))
    can = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tried(files, "openvino", precision, feeds, threads, native=CAPABLE[precision] in can)
