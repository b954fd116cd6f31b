"""ONNX Runtime's candidates: the graph as it is, and its weights and activations in 8 bits."""

import tempfile
from pathlib import Path
from typing import Any

from modalloy.deploy.candidate_builds.trial import tried
from modalloy.machine.fingerprint import cpu_flags

DOTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}  # that add 8-bit products without a limit


def plain(graph: bytes, feeds: list[bytes], threads: int) -> dict[str, Any]:
    """The graph in float32, as it was written."""
    return tried([graph], "onnxruntime", "f32", feeds, threads)


def dynamic(graph: bytes, feeds: list[bytes], threads: int) -> dict[str, Any]:
    """Weights in 8 bits, a range for each output of a layer; activations as they come.

    Weights take 7 bits where the processor's sums of 8-bit products would overflow.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            onnx.load_from_string(graph),
            path,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=not DOTS & cpu_flags(),
        )
        return tried([path.read_bytes()], "onnxruntime", "int8", feeds, threads)
