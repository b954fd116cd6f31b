"""KServe's inference protocol, version 2, as JSON: tensors of columns in, tensors of answers out.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modalloy.checks.finding import some
from modalloy.errors import RequestError
from modalloy.job.options import did_you_mean
from modalloy.serving.limits import Limits
from modalloy.serving.media_cells import called, from_base64
from modalloy.serving.plain import as_json, named
from modalloy.serving.rows import refuse_count
from modalloy.serving.schema import MEDIA, Column

NUMBERS = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8")
NUMBERS += ("UINT64", "UINT32", "UINT16", "UINT8")
TYPES = (*NUMBERS, "BOOL", "BYTES")
KEYS = {"id", "parameters", "inputs", "outputs"}


def rows_of_tensors(
    body: Any, columns: Mapping[str, Column], limits: Limits
) -> list[dict[str, Any]]:
    """The rows of a request: an input tensor for each column, its first dimension the rows.

    `data` is flat or nested, null where there is no cell; BYTES of a column of files are base64.
    Binary tensors are refused. RequestError.
    """
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
        raise RequestError("the body has no inputs; send a list of tensors, one for each column.")
    if unknown := [k for k in body if k not in KEYS]:
        raise RequestError(f"the body has {named(unknown)}, which this protocol does not know.")
    found: dict[str, list[Any]] = {}
    for tensor in body["inputs"]:
        name, cells = cells_of(tensor, columns, limits)
        if name in found:
            raise RequestError(f"inputs: '{name}' stands there twice.")
        found[name] = cells
    counts = {len(cells) for cells in found.values()}
    if not counts:
        raise RequestError("inputs is empty; send a tensor for each column.")
    if len(counts) != 1:
        raise RequestError(f"inputs: tensors have {some(sorted(counts))} rows; give all as many.")
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def cells_of(tensor: Any, columns: Mapping[str, Column], limits: Limits) -> tuple[str, list[Any]]:
    """The column of a tensor and its cells."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise RequestError("inputs: each is an object with name, shape, datatype and data.")
    name, shape, data = tensor["name"], tensor.get("shape"), tensor.get("data")
    where = f"inputs, '{name:.60}'"
    if name not in columns:
        near = did_you_mean(name, list(columns))
        raise RequestError(f"{where}: this model reads no such column.{near}")
    if tensor.get("datatype") not in TYPES:
        raise RequestError(f"{where}: its datatype is none of {', '.join(TYPES)}.")
    whole = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not whole or not shape:
        raise RequestError(f"{where}: its shape is no list of whole numbers.")
    if not isinstance(data, list):
        raise RequestError(f"{where}: data is {called(data)}, not a list.")
    refuse_count(shape[0], limits)
    column = columns[name]
    cells = data if len(data) == shape[0] else parted(data, shape, where)
    if len(shape) > 1 and any(isinstance(c, list) and len(c) != shape[1] for c in cells):
        raise RequestError(f"{where}: its rows are not {shape[1]} long, as the shape {shape} says.")
    if len(shape) > 1 and all(n == 1 for n in shape[1:]):
        cells = [c[0] if isinstance(c, list) and len(c) == 1 else c for c in cells]
    if column.kind in MEDIA and tensor["datatype"] == "BYTES":
        cells = [
            from_base64(c, f"{where}, row {at}") if isinstance(c, str) else c
            for at, c in enumerate(cells)
        ]
    return name, cells


def parted(data: Sequence[Any], shape: Sequence[int], where: str) -> list[Any]:
    """Flat data as rows of lists; RequestError where it does not fill the shape."""
    size = 1
    for n in shape:
        size *= n
        if size > len(data):
            break
    if size != len(data) or any(isinstance(x, list) for x in data):
        raise RequestError(f"{where}: data of {len(data)} does not fill the shape {shape}.")
    found: list[Any] = list(data)
    for n in reversed(shape[1:]):
        found = [found[at : at + n] for at in range(0, len(found), n)]
    return found


def tensors_of(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """An output tensor for each column of answers; lists are JSON in BYTES."""
    found = []
    for name in answers[0]:
        cells = [answer[name] for answer in answers]
        given = [c for c in cells if c is not None]
        if given and all(isinstance(c, bool) for c in given):
            kind = "BOOL"
        elif given and all(isinstance(c, int) and not isinstance(c, bool) for c in given):
            kind = "INT64"
        elif not given or all(isinstance(c, int | float) for c in given):
            kind = "FP64"
        else:
            kind = "BYTES"
            cells = [c if c is None or isinstance(c, str) else as_json(c).decode() for c in cells]
        found.append({"name": name, "shape": [len(cells)], "datatype": kind, "data": cells})
    return found


def datatype(column: Column) -> str:
    """The type that a column's tensor has."""
    return "FP64" if column.kind in ("number", "vector") else "BYTES"


def example_infer(columns: Mapping[str, Column]) -> dict[str, Any]:
    """A request of one row."""
    return {"inputs": [tensor_of(column) for column in columns.values()]}


def tensor_of(column: Column) -> dict[str, Any]:
    """The example cell of a column as a tensor."""
    cell = column.example
    if isinstance(cell, str) and column.kind in MEDIA:
        cell = cell.partition(",")[2]
    shape = [1]
    if isinstance(cell, list):
        shape += [len(cell), *([len(cell[0])] if isinstance(cell[0], list) else [])]
    number = column.kind in ("series", "vector") or isinstance(cell, int | float)
    kind = "FP64" if number and not isinstance(cell, str) else "BYTES"
    return {"name": column.name, "shape": shape, "datatype": kind, "data": [cell]}
