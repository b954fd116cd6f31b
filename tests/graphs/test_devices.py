"""Which devices are here, and that the fastest of them is found by measuring."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from golden_rows import BUNDLE, golden_answers, golden_rows
from modalloy.answer import engines
from modalloy.answer.predictor import Predictor
from modalloy.errors import BundleError
from modalloy.graphs import devices, measure
from modalloy.graphs import open as opening
from modalloy.graphs.branch import Branch, Port, Variant
from modalloy.graphs.devices import devices_of, openvino_name, providers_for, refuse_device
from modalloy.graphs.measure import example, fastest
from modalloy.graphs.onnx_session import OnnxSession
from modalloy.graphs.open import Place, open_session, places_of, session_of
from modalloy.graphs.openvino_session import OpenvinoSession
from modalloy.graphs.session import Session
from modalloy.readers.batch import Arrays

ONNX, IR = Variant("onnxruntime", ("a.onnx",)), Variant("openvino", ("a.xml", "a.bin"))
BRANCH = Branch("load", {"x": Port("float32", (-1, 3))}, ("y",), (), (IR, ONNX))


@pytest.fixture(scope="module")
def doubling() -> bytes:
    """A graph that doubles (B, 3)."""
    from onnx import TensorProto, helper

    shape = ["rows", 3]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    graph = helper.make_graph([node], "g", ports[:1], ports[1:])
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


class Slow(Session):
    """A session that takes its time."""

    def __init__(self, seconds: float, least: int = 0) -> None:
        self.inputs, self.seconds, self.least = ("x",), seconds, least

    def run(self, values: Arrays) -> Arrays:
        if values["x"].shape[1] < self.least:
            raise ValueError("too short")
        time.sleep(self.seconds)
        return {}


def test_the_processor_is_everywhere_and_comes_first() -> None:
    for engine in ("onnxruntime", "openvino", "torch"):
        name: Any = engine
        assert devices_of(name)[0] == "cpu"
    assert providers_for("cpu") == ["CPUExecutionProvider"]
    assert openvino_name("gpu") == "HETERO:GPU,CPU"


def test_what_a_library_calls_its_devices_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(devices, "providers_here", lambda: names)
    monkeypatch.setattr(devices, "openvino_devices", lambda: ["CPU", "GPU.0", "GPU.1", "NPU"])
    assert devices_of("onnxruntime") == ("cpu", "gpu")
    assert devices_of("openvino") == ("cpu", "gpu", "npu")
    assert providers_for("gpu") == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    refuse_device("npu", ("openvino", "onnxruntime"))
    with pytest.raises(BundleError, match=r"'npu' is not here\. .* has onnxruntime: cpu, gpu"):
        refuse_device("npu", ("onnxruntime",))
    monkeypatch.setattr(devices, "find_spec", lambda module: None)
    with pytest.raises(BundleError, match="This machine has openvino: not installed"):
        refuse_device("gpu", ("openvino",))
    with pytest.raises(BundleError, match="needs one of openvino, onnxruntime; run: pip install"):
        places_of(BRANCH, "auto")


def test_auto_measures_each_device_once_and_takes_the_fastest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here: dict[str, Any] = {"openvino": ("cpu", "gpu"), "onnxruntime": ("cpu",)}
    for module in (opening, devices):
        monkeypatch.setattr(module, "devices_of", here.__getitem__)
    assert places_of(BRANCH, "auto") == [Place(IR, "cpu"), Place(IR, "gpu")]
    seconds = {"cpu": 0.004, "gpu": 0.0}
    opened: list[Place] = []

    def session_for(variant: Variant, files: Any, *, threads: int, device: str) -> Session:
        opened.append(Place(variant, device))  # type: ignore[arg-type]
        return Slow(seconds[device])

    monkeypatch.setattr(opening, "session_of", session_for)
    reading: Callable[[str], bytes] = lambda name: b""  # noqa: E731
    found = open_session(BRANCH, reading, device="auto", threads=1)
    assert isinstance(found, Slow)
    assert found.seconds == 0.0
    seconds |= {"cpu": 0.0, "gpu": 0.004}
    found = open_session(BRANCH, reading, device="auto", threads=1)
    assert isinstance(found, Slow)
    assert found.seconds == 0.0
    opened.clear()
    open_session(BRANCH, reading, device="gpu", threads=1)
    assert opened == [Place(IR, "gpu")]


def test_a_gpu_of_each_engine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO's may be the one inside the processor, ONNX Runtime's a card beside it."""
    monkeypatch.setattr(opening, "devices_of", lambda engine: ("cpu", "gpu"))
    monkeypatch.setattr(devices, "devices_of", lambda engine: ("cpu", "gpu"))
    gpus = [Place(IR, "gpu"), Place(ONNX, "gpu")]
    assert places_of(BRANCH, "gpu") == gpus
    assert places_of(BRANCH, "auto") == [Place(IR, "cpu"), *gpus]
    seconds = {"openvino": 0.004, "onnxruntime": 0.0}

    def session_for(variant: Variant, files: Any, *, threads: int, device: str) -> Session:
        return Slow(seconds[variant.engine] + 0.002 * (device == "cpu"))

    monkeypatch.setattr(opening, "session_of", session_for)
    for device in ("gpu", "auto"):
        found: Any = open_session(BRANCH, lambda name: b"", device=device, threads=1)
        assert (found.seconds, found.device) == (0.0, "gpu")


class Apart(Session):
    """A session of the processor that stands for one of another device, with its own speed."""

    def __init__(self, session: Session, slow: bool) -> None:
        self.inputs, self.session, self.slow = session.inputs, session, slow

    def run(self, values: Arrays) -> Arrays:
        if self.slow:
            time.sleep(0.02)
        return self.session.run(values)


def test_branches_of_one_bundle_lie_where_each_is_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answers are those of one device, and golden rows are asked."""
    real, asked = opening.session_of, []
    on_gpu = ("x",)  # goes into the one branch that the other device is good at

    def session_for(variant: Variant, files: Any, *, threads: int, device: str) -> Session:
        made = real(variant, files, threads=threads, device="cpu")
        good = any(name in made.inputs for name in on_gpu)
        return Apart(made, slow=good == (device == "cpu"))

    def strange(engine: Any, golden: Any, *, first: bool) -> list[str]:
        asked.append(len(golden.given))
        return golden_strange(engine, golden, first=first)

    golden_strange = engines.strange
    for module in (opening, devices):
        monkeypatch.setattr(module, "devices_of", lambda engine: ("cpu", "gpu"))
    monkeypatch.setattr(opening, "session_of", session_for)
    monkeypatch.setattr(engines, "strange", strange)
    predictor = Predictor(BUNDLE, device="auto", threads=1)
    engine: Any = predictor.engine
    found = {name: session.device for name, session in engine.sessions.items()}
    wanted = {
        n: "gpu" if any(i in s.inputs for i in on_gpu) else "cpu"
        for n, s in engine.sessions.items()
    }
    assert set(found.values()) == {"cpu", "gpu"}
    assert found == wanted
    assert asked == [6]
    frame, said = predictor.frame(golden_rows()), golden_answers()
    assert frame["fault"].tolist() == said["fault"]
    assert np.allclose(frame["life"], said["life"], rtol=1e-4)


def test_a_device_that_fails_is_left_out_and_long_inputs_are_tried() -> None:
    def opened(place: str) -> Session:
        if place == "broken":
            raise OSError("no driver")
        return Slow(0.0, least=1000)

    branch = Branch("hum", {"x": Port("float32", (-1, -1))}, ("y",), (), (ONNX,))
    found = fastest(branch, ["broken", "fine"], opened)
    assert isinstance(found, Slow)
    with pytest.raises(BundleError, match="no device can run 'hum' here: no driver"):
        fastest(branch, ["broken"], opened)
    ports = {"ids": Port("int64", (-1, -1)), "seen": Port("bool", (-1,))}
    given = example(Branch("n", ports, (), (), (ONNX,)), rows=2, length=5)
    assert (given["ids"].shape, given["ids"].dtype) == ((2, 5), np.int64)
    assert given["seen"].tolist() == [True, True]
    assert measure.LENGTHS[0] < 1000 <= measure.LENGTHS[1]


@pytest.mark.parametrize("device", ["CPU", "AUTO", "AUTO:CPU", "HETERO:CPU"])
def test_openvino_answers_alike_by_each_of_its_devices(doubling: bytes, device: str) -> None:
    session = OpenvinoSession([doubling], precision="f32", threads=1, device=device)
    x_B3 = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(session.run({"x": x_B3})["y"], 2 * x_B3)


def test_both_engines_open_on_the_processor(doubling: bytes) -> None:
    x_B3 = np.arange(9, dtype=np.float32).reshape(3, 3)
    for variant in (ONNX, Variant("openvino", ("a.onnx",))):
        session = session_of(variant, [doubling], threads=1, device="cpu")
        assert np.array_equal(session.run({"x": x_B3})["y"], 2 * x_B3)


def test_a_provider_that_does_not_start_is_not_replaced_silently(doubling: bytes) -> None:
    """ONNX Runtime takes what is left of a list; here as where the driver of a GPU is lacking."""
    asked = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert OnnxSession(doubling, threads=1).session.get_providers() == asked[1:]
    lacking = pytest.raises(BundleError, match="CUDAExecutionProvider, but it does not start here")
    with lacking, pytest.warns(UserWarning, match="not in available provider names"):
        OnnxSession(doubling, threads=1, providers=asked)


def test_where_an_engine_fails_the_next_variant_is_taken(doubling: bytes) -> None:
    """One cannot parse its file; the last error is told where none can, a damaged part at once."""
    parts = {"a.onnx": doubling, "a.xml": b"<net", "a.bin": b""}
    found = open_session(BRANCH, parts.__getitem__, device="cpu", threads=1)
    assert isinstance(found, OnnxSession)
    assert found.device == "cpu"
    parts["a.onnx"] = b"no graph"
    with pytest.raises(BundleError, match="no device can run 'load' here: ") as caught:
        open_session(BRANCH, parts.__getitem__, device="cpu", threads=1)
    assert "\n" not in str(caught.value)

    def damaged(name: str) -> bytes:
        raise BundleError(f"{name} is damaged")

    with pytest.raises(BundleError, match=r"a\.xml is damaged"):
        open_session(BRANCH, damaged, device="cpu", threads=1)
