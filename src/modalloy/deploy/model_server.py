"""Folders that OpenVINO Model Server and Triton load unchanged: one model a graph.

Formats: `config.json` of OpenVINO Model Server (docs.openvino.ai, Model Server Parameters), and
`config.pbtxt`, the ModelConfig of Triton (triton-inference-server/common, model_config.proto).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_never

from modalloy.deploy.openvino_graphs import to_ir
from modalloy.deploy.unwritable import where_of
from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.machine.files import write_safely
from modalloy.machine.imports import require

Server = Literal["openvino", "triton"]
VERSION = "1"  # of each model
TOLD = "graphs.json"  # which model is which graph
SETTINGS = {  # the precision is always told: left alone, OpenVINO computes in bfloat16 where it can
    "INFERENCE_PRECISION_HINT": "f32"
}
TRITON_TYPES = {
    "BOOL": "TYPE_BOOL",
    "INT32": "TYPE_INT32",
    "INT64": "TYPE_INT64",
    "UINT8": "TYPE_UINT8",
    "FLOAT": "TYPE_FP32",
    "FLOAT16": "TYPE_FP16",
    "DOUBLE": "TYPE_FP64",
}


def write_server(
    folder: Path, server: Server, branches: Mapping[str, Branch], files: Mapping[str, bytes]
) -> None:
    """Write a folder; `graphs.json` comes last, so one that lacks it is not whole.

    files: of the branches, in which each has its graph in ONNX.
    """
    if server == "openvino":
        require("openvino", "export", "a folder for OpenVINO Model Server")
    models = {f"graph_{at}": branch for at, branch in enumerate(branches.values())}
    for model, branch in models.items():
        data = files[onnx_of(branch)]
        for name, content in files_of(server, model, data, where_of(branch.name)):
            place = folder / model / name
            place.parent.mkdir(parents=True, exist_ok=True)
            write_safely(place, content)
    if server == "openvino":
        write_safely(folder / "config.json", as_json(openvino_config(list(models))))
    told = {m: {"graph": b.name or "fusion and heads", **b.state()} for m, b in models.items()}
    told = {m: {k: v for k, v in t.items() if k != "variants"} for m, t in told.items()}
    write_safely(folder / TOLD, as_json(told))


def files_of(server: Server, model: str, data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """The files of one model, by their places in its folder. where: which graph, in words."""
    match server:
        case "openvino":
            xml, weights = to_ir(data, where=where)
            yield f"{VERSION}/model.xml", xml
            yield f"{VERSION}/model.bin", weights
        case "triton":
            yield f"{VERSION}/model.onnx", data
            yield "config.pbtxt", triton_config(model, data).encode()
        case _:
            assert_never(server)


def onnx_of(branch: Branch) -> str:
    """The file with a branch's graph in ONNX."""
    found = [v.files[0] for v in branch.variants if v.files[0].endswith(".onnx")]
    if not found:
        raise BundleError(
            f"the graph of {branch.name or 'fusion and heads'} is not kept in ONNX, of "
            "which a server's folder is made."
        )
    return found[-1]


def openvino_config(models: Sequence[str]) -> dict[str, Any]:
    """What `config.json` says: paths are relative to it."""
    given = [{"name": m, "base_path": m, "plugin_config": SETTINGS} for m in models]
    return {"model_config_list": [{"config": own} for own in given]}


def triton_config(model: str, data: bytes) -> str:
    """What `config.pbtxt` says of an ONNX graph; rows are a dimension of its own arrays."""
    import onnx

    graph = onnx.load_from_string(data).graph
    known = {i.name for i in graph.initializer}
    ports = {
        "input": [p for p in graph.input if p.name not in known],
        "output": list(graph.output),
    }
    lines = [f'name: "{model}"', 'backend: "onnxruntime"', "max_batch_size: 0"]
    for side, own in ports.items():
        said = ",\n".join(port_of(p) for p in own)
        lines.append(f"{side} [\n{said}\n]")
    return "\n".join(lines) + "\n"


def port_of(port: Any) -> str:
    """One array that goes in or comes out."""
    import onnx

    tensor = port.type.tensor_type
    kind = TRITON_TYPES[onnx.TensorProto.DataType.Name(tensor.elem_type)]
    dims = [d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim]
    told = ", ".join(map(str, dims))
    return f'  {{\n    name: "{port.name}"\n    data_type: {kind}\n    dims: [ {told} ]\n  }}'


def as_json(data: Any) -> bytes:
    """Data as JSON that people read."""
    return json.dumps(data, indent=1, allow_nan=False).encode()
