"""Which ways to compute a graph are worth a try: engines, number types, and what each needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from modalloy.graphs.branch import ENGINES, FUSION, EngineName, Precision, Variant
from modalloy.readers.batch import TABLE

Way = Literal["plain", "dynamic", "calibrated"]
SUFFIXES: dict[EngineName, tuple[str, ...]] = {"onnxruntime": ("onnx",), "openvino": ("xml", "bin")}
PRODUCTS = {"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"}  # what 8-bit numbers make faster
FAMILIES: dict[Precision, str] = {
    "f32": "float32",
    "bf16": "bfloat16",
    "f16": "float16",
    "int8": "int8",
}
NO_INT16 = (
    "int16 activations were not tried: neither ONNX Runtime nor OpenVINO multiplies 16-bit "
    "integers on a processor; both compute such graphs in float32, with two conversions more for "
    "each layer"
)


@dataclass(frozen=True)
class Candidate:
    """One way to compute a graph. way: `dynamic` int8 takes ranges of activations as they come,
    `calibrated` int8 from real rows before.
    """

    engine: EngineName
    precision: Precision
    way: Way = "plain"

    @property
    def label(self) -> str:
        """What reports call it."""
        way = "" if self.way == "plain" else f" {self.way}"
        return f"{self.engine} {self.precision}{way}"

    def variant(self, branch: str) -> Variant:
        """How a bundle names it. branch: the place of its files."""
        stem = f"{branch}.{self.engine}.{self.precision}"
        return Variant(
            self.engine, tuple(f"{stem}.{s}" for s in SUFFIXES[self.engine]), self.precision
        )


def installed() -> list[EngineName]:
    """The engines that are here, the one that every bundle's float32 graph is for first."""
    return [engine for engine in ENGINES if find_spec(engine) is not None]


def candidates(name: str, operations: set[str], *, exact_only: bool) -> Iterator[Candidate]:
    """The candidates of one graph, float32 first.

    operations: kinds of nodes in it. exact_only: none that rounds numbers to 8 bits. Fusion and
    heads stay float32, and so does the input of tabular columns: their arithmetic is a thousandth
    of all, and digits of numbers are what they are about.
    """
    engines = installed()
    for engine in engines:
        yield Candidate(engine, "f32")
    if not matters(name, operations):
        return
    if "openvino" in engines:
        yield Candidate("openvino", "bf16")
        yield Candidate("openvino", "f16")
    if exact_only:
        return
    # Of a convolution ONNX Runtime's dynamic int8 is two to four times slower than float32.
    if "onnxruntime" in engines and has_attention(operations):
        yield Candidate("onnxruntime", "int8", "dynamic")
    if "openvino" in engines and find_spec("nncf") is not None:
        yield Candidate("openvino", "int8", "calibrated")


def matters(name: str, kinds: set[str]) -> bool:
    """Whether a graph has products that other number types could make faster."""
    return name not in (FUSION, TABLE) and bool(kinds & PRODUCTS)


def has_attention(operations: set[str]) -> bool:
    """Whether tokens look at one another in the graph: products of two activations, weighed."""
    return "Attention" in operations or {"MatMul", "Softmax"} <= operations
