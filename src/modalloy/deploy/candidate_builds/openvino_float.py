"""OpenVINO's candidates in floating point: float32, bfloat16 and float16."""

import io
import tempfile
from pathlib import Path
from typing import Any

from modalloy.deploy.candidate_builds.trial import tried
from modalloy.graphs.branch import Precision

CAPABLE = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}


def build(graph: bytes, precision: Precision, feeds: list[bytes], threads: int) -> dict[str, Any]:
    """The graph in OpenVINO's own form; weights take half the room for f16.

    `native`: whether this processor multiplies such numbers; elsewhere they are widened first.
    """
    import openvino

    core = openvino.Core()
    model = core.read_model(io.BytesIO(graph))
    files = saved(model, halved=precision == "f16")
    native = CAPABLE[precision] in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tried(files, "openvino", precision, feeds, threads, native=native)


def saved(model: Any, *, halved: bool) -> list[bytes]:
    """The two files of a model in OpenVINO's own form."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=halved)
        return [path.read_bytes(), path.with_suffix(".bin").read_bytes()]
