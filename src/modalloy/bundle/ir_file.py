"""An OpenVINO IR graph `x.xml` with its weights `x.bin`, looked at before a library parses it."""

import math
import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from modalloy.errors import BundleError

LARGEST = 64 << 20  # bytes
DEEPEST = 200
MOST = 4_000_000  # elements
SIZE = re.compile(r"[0-9]{1,16}")
DECLARES = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
BITS = {
    "boolean": 8, "i4": 4, "u4": 4, "nf4": 4, "f4e2m1": 4, "i8": 8, "u8": 8, "f8e4m3": 8,
    "f8e5m2": 8, "f8e8m0": 8, "i16": 16, "u16": 16, "f16": 16, "bf16": 16, "i32": 32, "u32": 32,
    "f32": 32, "i64": 64, "u64": 64, "f64": 64,
}  # fmt: skip


def refuse_ir(data: bytes, weights: int, where: str) -> None:
    """BundleError for a graph that is damaged, declares entities, or names weights beyond its file.

    weights: bytes of the `.bin` beside it.
    """
    if len(data) > LARGEST:
        raise BundleError(f"{where}: has {len(data)} bytes; at most {LARGEST} are read.")
    # A parser that knows another encoding could see a declaration that this search does not.
    if DECLARES.search(data) or data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        raise _declares(where)
    graph = _Graph(weights, where)
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = graph.start
    parser.EndElementHandler = graph.end
    parser.StartDoctypeDeclHandler = graph.declare
    parser.EntityDeclHandler = graph.declare
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BundleError(
            f"{where}: cannot be read as XML ({error}); export the bundle again."
        ) from error


@dataclass
class _Graph:
    """What the parser meets, from its outermost element on."""

    weights: int
    where: str
    depth: int = 0
    seen: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth, self.seen = self.depth + 1, self.seen + 1
        if self.depth == 1 and tag != "net":
            raise BundleError(
                f"{self.where}: is no graph of OpenVINO: it begins with <{tag[:40]}>."
            )
        if self.depth > DEEPEST or self.seen > MOST:
            raise BundleError(f"{self.where}: has too many elements, or too deep in one another.")
        # Operations beside constants have an offset or a size of another meaning, never both.
        if tag == "data" and "offset" in attributes and "size" in attributes:
            refuse_data(attributes, self.weights, self.where)

    def end(self, tag: str) -> None:
        self.depth -= 1

    def declare(self, *_: Any) -> None:
        raise _declares(self.where)


def refuse_data(told: dict[str, str], weights: int, where: str) -> None:
    """BundleError for a constant beyond the weights, or of another size than its shape says."""
    offset, size = told.get("offset", ""), told.get("size", "")
    if not SIZE.fullmatch(offset) or not SIZE.fullmatch(size):
        raise BundleError(f"{where}: a constant has no offset and size in whole bytes.")
    if int(offset) + int(size) > weights:
        raise BundleError(
            f"{where}: a constant takes {size} bytes from {offset} on, and its weights (.bin) have "
            f"{weights}; it is cut off, or another file."
        )
    shape = [n.strip() for n in told.get("shape", "").split(",") if n.strip()]
    bits = BITS.get(told.get("element_type", ""))
    if bits is None:
        return
    if len(shape) > 32 or not all(SIZE.fullmatch(n) for n in shape):
        raise BundleError(f"{where}: a constant has no shape in whole numbers.")
    if int(size) != -(-math.prod(int(n) for n in shape) * bits // 8):
        raise BundleError(f"{where}: a constant has another size than its shape and type say.")


def _declares(where: str) -> BundleError:
    return BundleError(
        f"{where}: declares entities, a document type or another encoding, which a graph of "
        "OpenVINO has no need of; export the bundle again."
    )
