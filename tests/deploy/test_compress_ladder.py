"""The ladder of an 8-bit graph: it climbs until the guard is content, and finds the bad layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from modalloy.deploy.budget import Budget
from modalloy.deploy.candidate_builds import nncf_int8
from modalloy.deploy.candidate_builds.trial import packed
from modalloy.deploy.guard import Judged
from modalloy.deploy.ladder import climb
from modalloy.graphs.branch import Variant
from modalloy.graphs.open import session_of
from modalloy.machine.confined import Confined

BAD = Judged(100, {}, {}, {}, None, None, True, ("fault: 9.00 points lost",))
GOOD = Judged(100, {}, {}, {}, None, None)
GIVEN = {"graph": b"", "rows": [], "threads": 1, "attention": False, "feeds": []}


def test_rungs_are_climbed_in_turn_until_one_passes() -> None:
    asked: list[Mapping[str, Any]] = []

    def confine(function: str, given: Mapping[str, Any]) -> Confined:
        if function.endswith(":rank"):
            return Confined({"layers": list("abcdefgh"), "apart": []}, None, 1.0, None)
        asked.append(given)
        return Confined({"files": [given.get("float_layers")]}, None, 2.0, None)

    def judge(result: Mapping[str, Any]) -> Judged:
        return GOOD if result["files"] == [["a", "b"]] else BAD

    climbed = climb(GIVEN, confine, judge, Budget(None), failed=BAD)
    assert [(a.get("float_inputs"), a.get("float_layers")) for a in asked] == [
        (True, None),
        (None, ["a"]),
        (None, ["a", "b"]),
    ]
    assert climbed.built == {"files": [["a", "b"]]}
    assert climbed.seconds == 7.0
    assert climbed.rungs[0] == "true ranges: fault: 9.00 points lost"
    assert climbed.rungs[-1] == "2 of 8 layers in float32: passed"


def test_where_no_rung_holds_nothing_is_taken() -> None:
    def confine(function: str, given: Mapping[str, Any]) -> Confined:
        if function.endswith(":rank"):
            return Confined({"layers": list("abcd"), "apart": []}, None, 1.0, None)
        return Confined(None, "It took longer than 5 s and was stopped.", 5.0, None)

    climbed = climb(GIVEN, confine, lambda _: GOOD, Budget(None), failed=BAD)
    assert climbed.built is None
    assert climbed.text.count("It took longer than 5 s") == 3  # inputs, one layer, two of four
    late = climb(GIVEN, confine, lambda _: GOOD, Budget(1e-9), failed=BAD)
    assert "the time was used up" in late.text


def test_a_graph_without_layers_has_nothing_to_repair() -> None:
    def confine(function: str, given: Mapping[str, Any]) -> Confined:
        if function.endswith(":rank"):
            return Confined({"layers": [], "apart": []}, None, 1.0, None)
        return Confined({"files": [given.get("float_layers")]}, None, 2.0, None)

    climbed = climb(GIVEN, confine, lambda _: BAD, Budget(None), failed=BAD)
    assert climbed.built is None
    assert climbed.seconds == 3.0  # the input layer and the order, and no build after them
    assert "of 0 layers" not in climbed.text
    assert climbed.rungs[-1].endswith("none that could stay in float32")


def two_layers() -> bytes:
    """A graph of two layers; one hidden number is a thousand times the others and counts nothing,
    so that 8 bits for all of them together leave nothing of the rest."""
    onnx = pytest.importorskip("onnx")
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(6, 16)), draw.normal(size=(16, 3))
    first[:, -1], second[-1] = 3000.0, 0.0
    weights = [
        onnx.numpy_helper.from_array(w.astype(np.float32), n)
        for n, w in (("first", first), ("second", second))
    ]
    port = onnx.helper.make_tensor_value_info
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "first"], ["h"]),
        onnx.helper.make_node("Relu", ["h"], ["r"]),
        onnx.helper.make_node("MatMul", ["r", "second"], ["y"]),
    ]
    kind = onnx.TensorProto.FLOAT
    ends = [port("x", kind, ["rows", 6])], [port("y", kind, ["rows", 3])]
    graph = onnx.helper.make_graph(nodes, "two", *ends, weights)
    opset = [onnx.helper.make_opsetid("", 20)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


@pytest.mark.filterwarnings("ignore")
def test_the_layer_that_eight_bits_break_is_found_and_stays_in_float() -> None:
    pytest.importorskip("nncf")
    graph = two_layers()
    draw = np.random.default_rng(1)
    x_B6 = np.abs(draw.normal(size=(64, 6))).astype(np.float32)
    rows = [packed({"x": row[None]}) for row in x_B6[:16]]
    given = {"graph": graph, "rows": rows, "feeds": [rows[0]], "threads": 1, "attention": False}
    plain = session_of(Variant("onnxruntime", ("g",)), [graph], threads=1)
    right_B3 = plain.run({"x": x_B6})["y"]

    def here(function: str, given: Mapping[str, Any]) -> Confined:
        name = function.rpartition(":")[2]
        return Confined(getattr(nncf_int8, name)(**given), None, 1.0, None)

    def judge(result: Mapping[str, Any]) -> Judged:
        session = session_of(Variant("openvino", ("x", "b"), "int8"), result["files"], threads=1)
        y_B3 = session.run({"x": x_B6})["y"]
        same = (y_B3.argmax(1) == right_B3.argmax(1)).mean()
        return GOOD if same >= 0.95 else BAD

    first = judge(nncf_int8.build(**given))
    assert not first.passed
    climbed = climb(given, here, judge, Budget(None), failed=first)
    assert climbed.built is not None
    assert climbed.rungs[-1] == "1 of 2 layers in float32: passed"


@pytest.mark.filterwarnings("ignore")
def test_an_input_that_nothing_reads_is_no_obstacle() -> None:
    pytest.importorskip("nncf")
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(two_layers())
    port = onnx.helper.make_tensor_value_info("size", onnx.TensorProto.INT64, ["rows", 2])
    model.graph.input.append(port)
    x_16 = np.abs(np.random.default_rng(1).normal(size=(16, 1, 6))).astype(np.float32)
    rows = [packed({"x": x, "size": np.ones((1, 2), np.int64)}) for x in x_16]
    shared = {"graph": model.SerializeToString(), "rows": rows, "threads": 1, "attention": False}
    built = nncf_int8.build(**shared, feeds=[rows[0]])
    assert len(built["files"]) == 2
    assert sorted(nncf_int8.rank(**shared, kept=[])["layers"]) == sorted(
        nncf_int8.rank(**shared | {"graph": two_layers()}, kept=[])["layers"]
    )
