"""Graphs and weights whose files are looked at before a library parses them, by their endings."""

from collections.abc import Mapping

from modalloy.bundle.ir_file import refuse_ir
from modalloy.bundle.onnx_file import refuse_onnx
from modalloy.bundle.safetensors_file import refuse_safetensors


def refuse_wrong_form(name: str, data: bytes, sizes: Mapping[str, int], where: str) -> None:
    """BundleError for a part that is unsafe to parse, or not what its ending says.

    sizes: bytes of every part, since the graph `x.xml` names places in the weights `x.bin`.
    """
    stem, _, ending = name.rpartition(".")
    match ending.lower():
        case "safetensors":
            refuse_safetensors(data, f"{where}: {name}")
        case "onnx":
            refuse_onnx(data, f"{where}: {name}")
        case "xml":
            refuse_ir(data, sizes.get(f"{stem}.bin", 0), f"{where}: {name}")
