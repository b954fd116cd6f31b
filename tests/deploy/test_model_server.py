"""Folders for model servers say what the servers' own schemas ask for, of the graphs inside."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.deploy.model_server import (
    TOLD,
    openvino_config,
    write_server,
)
from modalloy.errors import BundleError
from modalloy.graphs.branch import FUSION, Branch, Port, Variant

# Keys of a model that OpenVINO Model Server knows, with their types (its src/schema.cpp).
OPENVINO: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "base_path": (str,),
    "batch_size": (int, str),
    "model_version_policy": (dict,),
    "shape": (dict, str),
    "nireq": (int,),
    "target_device": (str,),
    "plugin_config": (dict,),
    "stateful": (bool,),
}
# Fields of Triton's ModelConfig and its tensors that are used (model_config.proto).
TRITON = {"name", "backend", "max_batch_size", "input", "output"}
TENSOR = {"name", "data_type", "dims"}
TYPES = {"TYPE_BOOL", "TYPE_UINT8", "TYPE_INT32", "TYPE_INT64", "TYPE_FP16", "TYPE_FP32"}
NUMPY = {"TYPE_BOOL": "bool", "TYPE_INT64": "int64", "TYPE_FP32": "float32"}


def graph(**ports: tuple[Any, list[Any]]) -> bytes:
    """A graph that passes its inputs on, each as `out.NAME`."""
    from onnx import helper

    ins = [helper.make_tensor_value_info(n, kind, dims) for n, (kind, dims) in ports.items()]
    outs = [helper.make_tensor_value_info(f"out.{n}", k, d) for n, (k, d) in ports.items()]
    nodes = [helper.make_node("Identity", [n], [f"out.{n}"]) for n in ports]
    opset = [helper.make_opsetid("", 20)]
    made = helper.make_model(
        helper.make_graph(nodes, "g", ins, outs), opset_imports=opset, ir_version=10
    )
    return made.SerializeToString()


@pytest.fixture
def branches() -> tuple[dict[str, Branch], dict[str, bytes]]:
    from onnx import TensorProto as T

    two: list[Any] = ["rows", "length"]
    files = {
        "graphs/0.onnx": graph(ids=(T.INT64, two), mask=(T.BOOL, two)),
        "graphs/heads.onnx": graph(x=(T.FLOAT, ["rows", "tokens", 16])),
    }
    ports = {"ids": Port("int64", (-1, -1)), "mask": Port("bool", (-1, -1))}
    tokens = {"x": Port("float32", (-1, -1, 16))}
    first, last = onnx("graphs/0.onnx"), onnx("graphs/heads.onnx")
    form = Variant("openvino", ("graphs/0.xml", "graphs/0.bin"))
    own = {
        "note": Branch("note", ports, ("out.ids", "out.mask"), (), (form, first)),
        FUSION: Branch(FUSION, tokens, ("out.x",), (), (last,)),
    }
    return own, files


def onnx(name: str) -> Variant:
    return Variant("onnxruntime", (name,))


def test_tritons_folder_is_what_its_schema_says(branches: Any, tmp_path: Path) -> None:
    write_server(tmp_path / "s", "triton", *branches)
    for number, (branch, name) in enumerate(zip(branches[0].values(), branches[1], strict=True)):
        folder = tmp_path / "s" / f"graph_{number}"
        assert {p.name for p in folder.iterdir()} == {"1", "config.pbtxt"}
        assert [p.name for p in (folder / "1").iterdir()] == ["model.onnx"]
        assert (folder / "1" / "model.onnx").read_bytes() == branches[1][name]
        told = parsed((folder / "config.pbtxt").read_text())
        check_triton(told, folder.name)
        ins = {t["name"]: (NUMPY[t["data_type"]], tuple(t["dims"])) for t in told["input"]}
        assert ins == {n: (p.dtype, p.shape) for n, p in branch.inputs.items()}
        assert [t["name"] for t in told["output"]] == list(branch.outputs)
    told = json.loads((tmp_path / "s" / TOLD).read_text())
    assert {m: t["graph"] for m, t in told.items()} == {
        "graph_0": "note",
        "graph_1": "fusion and heads",
    }


def test_openvinos_folder_is_what_its_schema_says(branches: Any, tmp_path: Path) -> None:
    import openvino

    write_server(tmp_path / "s", "openvino", *branches)
    told = json.loads((tmp_path / "s" / "config.json").read_text())
    check_openvino(told, tmp_path / "s")
    for number, branch in enumerate(branches[0].values()):
        folder = tmp_path / "s" / f"graph_{number}" / "1"
        assert sorted(p.name for p in folder.iterdir()) == ["model.bin", "model.xml"]
        read = openvino.Core().read_model(folder / "model.xml")
        assert {p.any_name for p in read.inputs} == set(branch.inputs)
        assert {p.any_name for p in read.outputs} == set(branch.outputs)
        found = openvino.compile_model(read, "CPU")(
            {n: p.blank(3) for n, p in branch.inputs.items()}
        )
        assert all(len(np.asarray(x)) == 3 for x in found.values())


def test_a_graph_that_is_not_kept_in_onnx_is_refused(branches: Any, tmp_path: Path) -> None:
    kept, files = branches
    kept["note"] = Branch("note", {}, (), (), kept["note"].variants[:1])
    with pytest.raises(BundleError, match="the graph of note is not kept in ONNX"):
        write_server(tmp_path / "s", "triton", kept, files)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_config_list": [{"config": {"name": "a"}}]},
        {"model_config_list": [{"config": {"name": "a", "base_path": "a", "device": "CPU"}}]},
        {"model_config_list": [{"config": {"name": "a", "base_path": "a"}, "more": 1}]},
        {"models": []},
    ],
)
def test_the_check_itself_refuses(wrong: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    check_openvino(openvino_config(["a"]), tmp_path)
    with pytest.raises(AssertionError):
        check_openvino(wrong, tmp_path)


def check_openvino(told: dict[str, Any], folder: Path) -> None:
    """Raise AssertionError where a configuration is not what the server's schema allows."""
    assert set(told) == {"model_config_list"}
    for entry in told["model_config_list"]:
        assert set(entry) == {"config"}
        assert {"name", "base_path"} <= set(entry["config"])
        for key, value in entry["config"].items():
            assert isinstance(value, OPENVINO.get(key, ())), key
        assert (folder / entry["config"]["base_path"]).is_dir()
        assert all(isinstance(v, str) for v in entry["config"].get("plugin_config", {}).values())


def check_triton(told: dict[str, Any], model: str) -> None:
    """Raise AssertionError where a configuration is not what ModelConfig has."""
    assert set(told) == TRITON
    assert told["name"] == model
    assert (told["backend"], told["max_batch_size"]) == ("onnxruntime", 0)
    for side in ("input", "output"):
        assert told[side]
        for tensor in told[side]:
            assert set(tensor) == TENSOR
            assert tensor["data_type"] in TYPES
            assert all(d == -1 or d > 0 for d in tensor["dims"])


def parsed(text: str) -> dict[str, Any]:
    """The text form of a protobuf message as far as Triton's configurations use it."""
    as_json = re.sub(r"(?m)^(\s*)(\w+):", r'\1"\2":', text)
    as_json = re.sub(r"(?m)^(\w+) \[", r'"\1": [', as_json)
    as_json = re.sub(r": (TYPE_\w+)", r': "\1"', as_json)
    as_json = re.sub(r'(?m)(["\d\]])$(?=\n\s*")', r"\1,", as_json)
    return json.loads("{" + as_json + "}")
