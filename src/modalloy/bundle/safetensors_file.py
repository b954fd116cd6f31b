"""The header of a safetensors file, checked before a library reads it.

The format: 8 bytes with the header's length, the header (JSON), the data of all tensors without
gap or overlap. https://github.com/huggingface/safetensors#format
"""

import math
from typing import Any

from modalloy.bundle.bounded_json import parse_json
from modalloy.errors import BundleError

LARGEST_HEADER = 16 << 20  # bytes
DIMS = 16
BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


def refuse_safetensors(data: bytes, where: str) -> None:
    """BundleError for a damaged file, or one whose tensors lie beyond it or over one another."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise BundleError(f"{where}: is no safetensors file, or is cut off in its header.")
    if length > LARGEST_HEADER:
        raise BundleError(
            f"{where}: its header says {length} bytes; at most {LARGEST_HEADER} are read."
        )
    told = parse_json(data[8 : 8 + length], where, largest=LARGEST_HEADER, deepest=4)
    if not isinstance(told, dict):
        raise BundleError(f"{where}: its header is no JSON object.")
    about = told.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise BundleError(f"{where}: its __metadata__ is no table of texts.")
    spans = sorted(span_of(name, tensor, where) for name, tensor in told.items())
    end = 0
    for begin, stop, name in spans:
        if begin != end:
            raise BundleError(f"{where}: '{name}' lies over another tensor, or behind a gap.")
        end = stop
    if end != len(data) - 8 - length:
        raise BundleError(
            f"{where}: its tensors take {end} bytes, and {len(data) - 8 - length} follow its "
            "header; it is cut off, or another file."
        )


def span_of(name: str, told: Any, where: str) -> tuple[int, int, str]:
    """Where a tensor begins and ends (bytes), which has to fit its type and shape."""
    wrong = BundleError(f"{where}: what its header says of '{name[:80]}' cannot be.")
    if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"}:
        raise wrong
    shape, span = told["shape"], told["data_offsets"]
    if not isinstance(told["dtype"], str) or not (_are_sizes(shape) and _are_sizes(span)):
        raise wrong
    if told["dtype"] not in BYTES:
        raise BundleError(f"{where}: '{name[:80]}' has a type that is not read here.")
    if len(shape) > DIMS or len(span) != 2:
        raise wrong
    if span[1] - span[0] != math.prod(shape) * BYTES[told["dtype"]]:
        raise wrong
    return span[0], span[1], name


def _are_sizes(told: Any) -> bool:
    return isinstance(told, list) and all(type(n) is int and 0 <= n < 1 << 53 for n in told)
