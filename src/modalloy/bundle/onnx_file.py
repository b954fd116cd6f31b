"""An ONNX file, looked at before a library parses it: whole, of one file, not too deep.

Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding) as far as a model
can hold tensors, with a list of open messages instead of recursion.
"""

from collections.abc import Iterator
from typing import NamedTuple

from modalloy.errors import BundleError

LARGEST = (2 << 30) - 1  # bytes: protobuf reads no larger message
DEEPEST = 100  # messages in one another, as protobuf itself allows
MOST = 1_000_000  # fields in all
VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
# Field number -> what it holds, for each message that can hold a tensor, however deep.
INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
GRAPH, EXTERNAL_DATA, DATA_LOCATION = 7, 13, 14  # a model's graph; two of a tensor


class Field(NamedTuple):
    """One field of a message; value of a number, or where its bytes begin and end."""

    number: int
    wire: int
    value: int
    begin: int
    end: int


def refuse_onnx(data: bytes, where: str) -> None:
    """BundleError for a file that is no model, is damaged, or keeps tensors in other files."""
    if len(data) > LARGEST:
        raise BundleError(f"{where}: has {len(data)} bytes; an ONNX file has at most {LARGEST}.")
    todo, seen, graphs = [("model", fields(data, 0, len(data), where))], 0, 0
    while todo:
        kind, rest = todo[-1]
        field = next(rest, None)
        if field is None:
            todo.pop()
            continue
        seen += 1
        if seen > MOST:
            raise BundleError(f"{where}: has more than {MOST} fields; no graph needs so many.")
        if kind == "tensor":
            refuse_external(field, where)
        elif inner := INSIDE[kind].get(field.number):
            if field.wire != LEN:
                raise _damaged(where)
            if len(todo) == DEEPEST:
                raise BundleError(f"{where}: its graphs lie more than {DEEPEST} deep.")
            graphs += kind == "model" and field.number == GRAPH
            todo.append((inner, fields(data, field.begin, field.end, where)))
    if graphs != 1:
        raise BundleError(f"{where}: is no ONNX model: it holds {graphs} graphs instead of one.")


def refuse_external(field: Field, where: str) -> None:
    """BundleError for a field of a tensor by which its numbers lie in another file."""
    if field.number == EXTERNAL_DATA or (field.number == DATA_LOCATION and field.value):
        raise BundleError(
            f"{where}: keeps tensors in another file (external data), which could be any file of "
            "this machine; export it as one file."
        )
    if field.number == DATA_LOCATION and field.wire != VARINT:
        raise _damaged(where)


def fields(data: bytes, at: int, end: int, where: str) -> Iterator[Field]:
    """The fields of a message that lies from `at` to `end`."""
    while at < end:
        tag, at = varint(data, at, end, where)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _damaged(where)
        value, begin = 0, at
        if wire == VARINT:
            value, at = varint(data, at, end, where)
        elif wire == LEN:
            length, begin = varint(data, at, end, where)
            at = begin + length
        elif wire in (FIXED64, FIXED32):
            at += 8 if wire == FIXED64 else 4
        else:  # groups, which onnx.proto3 has none of
            raise _damaged(where)
        if at > end:
            raise _damaged(where)
        yield Field(number, wire, value, begin, at)


def varint(data: bytes, at: int, end: int, where: str) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for count in range(10):
        if at + count >= end:
            break
        byte = data[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise _damaged(where)


def _damaged(where: str) -> BundleError:
    return BundleError(f"{where}: is no ONNX file, or is damaged; export it again.")
