"""A graph in ONNX as OpenVINO's own form."""

import tempfile
from pathlib import Path


def to_ir(data: bytes) -> tuple[bytes, bytes]:
    """The graph as XML, and its weights, float32 as they are."""
    import openvino

    model = openvino.Core().read_model(data)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "graph.xml"
        openvino.save_model(model, place, compress_to_fp16=False)
        return place.read_bytes(), place.with_suffix(".bin").read_bytes()
