"""ONNX files whose tensors lie in other files are found however deep, as onnx itself finds them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from bundles import onnx_bytes
from modalloy.bundle.onnx_file import refuse_onnx
from modalloy.errors import BundleError


def tensor(*, external: bool) -> TensorProto:
    found = numpy_helper.from_array(np.ones(2, np.float32), "w")
    if external:
        found.ClearField("raw_data")
        found.data_location = TensorProto.EXTERNAL
        found.external_data.add(key="location", value="../../etc/passwd")
    return found


def nested(place: str, depth: int, *, external: bool) -> onnx.ModelProto:
    """A model with a tensor at this place of a graph that lies this deep in branches."""
    held = tensor(external=external)
    sparse = onnx.SparseTensorProto(values=held, indices=tensor(external=False), dims=[2])
    node = helper.make_node("Constant", [], ["c"])
    graph = helper.make_graph([node], "inner", [], [])
    match place:
        case "initializer":
            graph.initializer.append(held)
        case "sparse":
            graph.sparse_initializer.append(sparse)
        case "indices":
            sparse = onnx.SparseTensorProto(values=tensor(external=False), indices=held, dims=[2])
            graph.sparse_initializer.append(sparse)
        case "constant" | "function" | "training":
            graph.node[0].attribute.append(helper.make_attribute("value", held))
        case "tensors":
            graph.node[0].attribute.append(helper.make_attribute("value", [held, held]))
        case "sparse attribute":
            graph.node[0].attribute.append(helper.make_attribute("sparse_value", sparse))
        case "sparse attributes":
            graph.node[0].attribute.append(helper.make_attribute("sparse_values", [sparse]))
    for n in range(depth):
        inner: Any = graph if n % 2 else [graph]
        branch = helper.make_node("If", ["c"], ["o"], then_branch=inner)
        graph = helper.make_graph([branch], "outer", [], [])
    plain = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "plain", [], [])
    outer = plain if place in ("function", "training") else graph
    model = helper.make_model(outer)
    if place == "function":
        made = helper.make_function("own", "F", [], [], graph.node, [])
        model.functions.append(made)
    if place == "training":
        model.training_info.add(algorithm=graph)
    return model


PLACES = (
    "initializer", "sparse", "indices", "constant", "tensors", "sparse attribute",
    "sparse attributes", "function", "training",
)  # fmt: skip


def tensors(message: Any) -> Iterator[TensorProto]:
    """Every tensor of a message, the slow way: by looking at all of its fields."""
    if isinstance(message, TensorProto):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            several = value if hasattr(value, "append") or hasattr(value, "add") else [value]
            for inner in several:
                yield from tensors(inner)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("depth", [0, 1, 4])
def test_external_data_is_found_wherever_it_is(place: str, depth: int) -> None:
    inside, beside = (nested(place, depth, external=e).SerializeToString() for e in (False, True))
    refuse_onnx(inside, "g.onnx")
    with pytest.raises(BundleError, match=r"^g.onnx: keeps tensors in another file"):
        refuse_onnx(beside, "g.onnx")


@pytest.mark.parametrize("half", ["place alone", "location alone"])
def test_half_of_what_makes_data_external(half: str) -> None:
    model = nested("constant", 1, external=False)
    held = next(tensors(model))
    if half == "place alone":
        held.data_location = TensorProto.EXTERNAL
    else:
        held.external_data.add(key="location", value="x")
    with pytest.raises(BundleError, match="keeps tensors in another file"):
        refuse_onnx(model.SerializeToString(), "g.onnx")


@given(st.sampled_from(PLACES), st.booleans(), st.integers(0, 400), st.integers(0, 255))
def test_what_passes_and_parses_has_no_external_data(
    place: str, external: bool, at: int, byte: int
) -> None:
    """One byte of any model is changed: the library's own reading is the oracle."""
    data = bytearray(nested(place, 2, external=external).SerializeToString())
    data[at % len(data)] = byte
    try:
        refuse_onnx(bytes(data), "g.onnx")
    except BundleError:
        return
    try:
        model = onnx.load_from_string(bytes(data))
    except Exception:  # whatever protobuf says of it, nothing is opened
        return
    assert all(not t.data_location and not t.external_data for t in tensors(model))


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"^g.onnx: "):
        refuse_onnx(data + b"\x0f", "g.onnx")  # a wire type that there is not


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds 0 graphs instead of one"),
        (b"hello", "is no ONNX file, or is damaged"),
        (onnx_bytes()[:-1], "is no ONNX file, or is damaged"),
        (onnx_bytes() + onnx_bytes(), "holds 2 graphs instead of one"),
        (b"\x3b\x3c", "is no ONNX file, or is damaged"),  # a group
        (b"\x38\x01", "is no ONNX file, or is damaged"),  # a number in the graph's place
        (b"\x00\x01", "is no ONNX file, or is damaged"),  # field 0
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "is no ONNX file, or is damaged"),
        (b"\x80" * 11, "is no ONNX file, or is damaged"),
        (b"\x3a\x05\x2a\x03\x72\x01\x01", "is no ONNX file, or is damaged"),  # a place that is text
        (b"\x3a\x0f\x2a\x0d\x70" + b"\x80" * 9 + b"\x01" + b"\x08\x01", "in another file"),
    ],
)
def test_refusals(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        refuse_onnx(data, "g.onnx")


def message(*numbers: int, inside: bytes) -> bytes:
    """Messages in one another, by their field numbers from the outermost on."""
    for number in reversed(numbers):
        length, told = len(inside), bytearray()
        while length > 0x7F:
            told.append(length & 0x7F | 0x80)
            length >>= 7
        inside = bytes([number << 3 | 2, *told, length]) + inside
    return inside


def test_depth_has_an_end_that_is_no_recursion() -> None:
    """Each subgraph is a node, an attribute and a graph."""
    refuse_onnx(message(7, *[1, 5, 6] * 32, inside=b""), "g.onnx")
    for deep in (34, 5000):
        with pytest.raises(BundleError, match="graphs lie more than 100 deep"):
            refuse_onnx(message(7, *[1, 5, 6] * deep, inside=b""), "g.onnx")


def test_size_and_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.bundle.onnx_file.MOST", 5)
    with pytest.raises(BundleError, match="has more than 5 fields"):
        refuse_onnx(onnx_bytes(), "g.onnx")
    monkeypatch.setattr("modalloy.bundle.onnx_file.LARGEST", 5)
    with pytest.raises(BundleError, match="bytes; an ONNX file has at most 5"):
        refuse_onnx(onnx_bytes(), "g.onnx")
