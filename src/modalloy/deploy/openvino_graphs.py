"""A graph in ONNX as the two files of OpenVINO's own form."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from modalloy.deploy.unwritable import no_openvino

if TYPE_CHECKING:
    import openvino

NAME = "modalloy"


def to_ir(data: bytes, *, half: bool = False, where: str = "a graph") -> tuple[bytes, bytes]:
    """The graph as XML, and its weights: float32 as they are, or float16, half as many bytes.

    Weights of float16 are computed with in whatever a session's precision says. where: which graph
    it is, in words. RunError where OpenVINO knows an operation of the graph not.
    """
    import onnx
    import openvino

    try:
        model = openvino.Core().read_model(data)
    except RuntimeError as error:
        kinds = {node.op_type for node in onnx.load_from_string(data).graph.node}
        raise no_openvino(where, kinds, error) from error
    rename(model)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "graph.xml"
        openvino.save_model(model, place, compress_to_fp16=half)
        return place.read_bytes(), place.with_suffix(".bin").read_bytes()


def rename(model: "openvino.Model") -> None:
    """Name operations by their place: a count of the process, which OpenVINO takes, is another one
    each time.
    """
    model.set_friendly_name(NAME)
    for number, node in enumerate(model.get_ordered_ops()):
        if node.get_type_name() not in ("Parameter", "Result"):
            node.set_friendly_name(str(number))
