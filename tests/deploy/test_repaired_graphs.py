"""Repairs of ONNX graphs against numpy; the same network gives the same bytes everywhere."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.export import Dim

from in_engines import answers_alike, quick_onnx, sessions_of
from modalloy.deploy import onnx_graphs
from modalloy.deploy.onnx_graphs import Graph, graph_of
from modalloy.deploy.onnx_repair import repair
from modalloy.deploy.openvino_graphs import to_ir
from modalloy.deploy.unwritable import where_of
from modalloy.errors import RunError
from modalloy.graphs.onnx_session import OnnxSession
from modalloy.graphs.openvino_session import OpenvinoSession


def choosing() -> ir.Model:
    """A graph that chooses between truth values, with notes of a machine in it."""
    ports = [helper.make_tensor_value_info(n, TensorProto.BOOL, ["rows", 2]) for n in "cab"]
    out = helper.make_tensor_value_info("y", TensorProto.BOOL, ["rows", 2])
    node = helper.make_node("Where", ["c", "a", "b"], ["y"], name="/home/me/net.py")
    node.doc_string = "File /home/me/net.py, line 3"
    node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/me/net.py")
    graph = helper.make_graph([node], "g", ports, [out], doc_string="/home/me")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    made.producer_name, made.producer_version = "pytorch", "2.13.0+cpu"
    return ir.serde.deserialize_model(made)


def test_a_choice_of_truth_values_is_made_by_logic() -> None:
    model = choosing()
    repair(model, ["c", "a", "b"], ["y"])
    data = ir.serde.serialize_model(model).SerializeToString()
    every = np.array(list(itertools.product([False, True], repeat=3)))
    values = {n: every[:, [i, i]] for i, n in enumerate("cab")}
    for session in sessions_of(data).values():
        found = session.run(values)["y"]
        assert np.array_equal(found, np.where(values["c"], values["a"], values["b"]))


def test_nothing_says_where_a_graph_was_written() -> None:
    model = choosing()
    repair(model, ["c", "a", "b"], ["y"])
    data = ir.serde.serialize_model(model).SerializeToString()
    assert b"net.py, line" not in data
    assert b"stack_trace" not in data
    assert b"pytorch" not in data
    assert b"2.13" not in data


class Passing(nn.Module):
    """Gives on what it was given, twice, beside what it computes under names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 3)

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """Arrays by name."""
        linear, mask = arrays
        y = self.line(linear)
        return {"a.0": linear, "b": y, "linear_1": y, "mask_BT": mask, "again": mask}


def passing() -> Graph:
    """A graph whose inputs come out again."""
    torch.manual_seed(0)
    given = {"linear": torch.randn(3, 3), "mask": torch.rand(3, 3) > 0.5}
    return graph_of("x", Passing().eval(), given, ({0: Dim("rows")}, {0: Dim("rows")}))


@pytest.fixture(scope="module")
def written() -> tuple[Graph, bytes]:
    """That graph, and its bytes."""
    graph = passing()
    return graph, quick_onnx(graph)


def test_every_port_keeps_its_name(written: tuple[Graph, bytes]) -> None:
    graph, data = written
    given = {"linear": torch.randn(1, 3), "mask": torch.tensor([[True, False, True]])}
    xml, weights = to_ir(data)
    own = {"form": OpenvinoSession([xml, weights], precision="f32", threads=1)}
    for session in (sessions_of(data) | own).values():
        assert set(session.inputs) == {"linear", "mask"}
        answers_alike(graph, session, given)


def test_the_same_network_gives_the_same_bytes(written: tuple[Graph, bytes]) -> None:
    _, data = written
    assert quick_onnx(passing()) == data
    assert to_ir(data) == to_ir(data)
    for own in (b"site-packages", str(Path.home()).encode(), str(Path(__file__).parent).encode()):
        assert own not in data
        assert own not in to_ir(data)[0]
    assert not onnx.load_from_string(data).graph.node[0].metadata_props


def test_half_precision_halves_the_weights() -> None:
    layer = nn.Linear(64, 64, bias=False)
    graph = graph_of("x", Named(layer), {"x": torch.randn(3, 64)}, ({0: Dim("rows")},))
    data = quick_onnx(graph)
    full, half = to_ir(data)[1], to_ir(data, half=True)[1]
    assert len(full) == pytest.approx(64 * 64 * 4, rel=0.02)
    assert len(half) == pytest.approx(64 * 64 * 2, rel=0.02)
    assert np.abs(np.frombuffer(full[: 64 * 64 * 4], np.float32)).max() > 0


class Named(nn.Module):
    """A layer whose output has a name."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """`y`."""
        return {"y": self.layer(arrays[0])}


def test_many_threads_ask_one_session(written: tuple[Graph, bytes]) -> None:
    _, data = written
    rng = np.random.default_rng(0)
    asked = [rng.normal(size=(n, 3)).astype(np.float32) for n in (1, 7, 30, 300)]
    same: list[bool] = []
    for session in sessions_of(data).values():
        wanted = [session.run({"linear": x, "mask": x > 0})["b"] for x in asked]
        with ThreadPoolExecutor(len(asked)) as pool:
            for x, want in list(zip(asked, wanted, strict=True)) * 40:
                pool.submit(session.run, {"linear": x, "mask": x > 0}).add_done_callback(
                    lambda done, want=want: same.append(np.array_equal(done.result()["b"], want))
                )
    assert same == [True] * 320


class Small(nn.Module):
    """Small terms and factors near one, which count."""

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """`term` (B, 3) and `factor` (B, 3)."""
        (x,) = arrays
        near = 1 + 2**-17
        return {"term": (x.square() + 1e-9).rsqrt(), "factor": (x * near - x) * 2**17 + x / near}


def test_small_terms_and_factors_count() -> None:
    graph = graph_of("x", Small(), {"x": torch.ones(3, 3)}, ({0: Dim("rows")},))
    for session in sessions_of(quick_onnx(graph)).values():
        answers_alike(graph, session, {"x": torch.arange(6.0).reshape(2, 3)})


class Sorting(nn.Module):
    """Does what no graph can: its shape depends on its data."""

    def forward(self, *arrays: Tensor) -> dict[str, Tensor]:
        """As many numbers as are above zero."""
        return {"y": arrays[0][arrays[0] > 0].reshape(int(arrays[0].sum()), -1)}


def test_what_cannot_be_written_is_named() -> None:
    given = {"x": torch.eye(3)}
    graph = graph_of("note", Sorting(), given, ({0: Dim("rows")},))
    with pytest.raises(RunError, match="the encoder of 'note' cannot be written as ONNX: ") as told:
        quick_onnx(graph)
    assert "a size in it depends on what a cell holds" in str(told.value)
    assert "--backend torch` keeps the network itself" in str(told.value)
    digamma = Named(Digamma())
    graph = graph_of("note", digamma, {"x": torch.rand(3, 4)}, ({0: Dim("rows")},))
    with pytest.raises(RunError, match="as ONNX: it has no operation 'digamma'"):
        quick_onnx(graph)


class Digamma(nn.Module):
    """An operation that ONNX has not."""

    def forward(self, x: Tensor) -> Tensor:
        """The logarithmic derivative of the gamma function."""
        return torch.digamma(x)


def test_a_graph_that_no_file_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graphs, "LARGEST", 40)
    with pytest.raises(RunError, match=r"the encoder of 'x' has 48 bytes of weights, and .* 40"):
        quick_onnx(passing())


def test_what_openvino_cannot_do_is_refused() -> None:
    port = helper.make_tensor_value_info("x", TensorProto.STRING, ["rows"])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, ["rows"])
    node = helper.make_node("StringNormalizer", ["x"], ["y"])
    made = helper.make_model(helper.make_graph([node], "g", [port], [out]))
    with pytest.raises(RunError, match="a graph cannot be written in OpenVINO's form"):
        to_ir(made.SerializeToString())
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3, 3])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows"])
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"])], "g", [port], [out])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    with pytest.raises(RunError, match=r"fusion and heads cannot be .*: it has no operation 'Det'"):
        to_ir(data.SerializeToString(), where=where_of(""))


def test_only_f32_is_f32() -> None:
    """A session says its precision; without one OpenVINO takes what a processor likes."""
    data = quick_onnx(passing())
    assert isinstance(OnnxSession(data, threads=1).inputs, tuple)
    session = OpenvinoSession([data], precision="f32", threads=1)
    assert session.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
