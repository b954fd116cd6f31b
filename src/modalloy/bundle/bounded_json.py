"""JSON from strangers: size, depth and numbers are bounded before and while it is parsed."""

import itertools
import json
import re
from typing import Any

from modalloy.errors import BundleError

LARGEST = 64 << 20  # bytes of a part
DEEPEST = 32
DIGITS = 400  # of one number; the largest float has 309 before its point
MOST = 1_000_000  # lists and objects: an empty one takes 56 bytes of memory or more
# To the end of all where it has none, so that no text is looked at twice.
STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
NO_BRACKETS = bytes(sign for sign in range(256) if sign not in b"[]{}")


def parse_json(data: bytes, where: str, *, largest: int = LARGEST, deepest: int = DEEPEST) -> Any:
    """What a JSON text in UTF-8 says; BundleError where it is too large, too deep or none.

    Names that an object has twice, NaN, infinite numbers and numbers of hundreds of digits are
    refused: parsers read them differently.
    """
    if len(data) > largest:
        raise BundleError(
            f"{where}: has {len(data)} bytes of JSON, and at most {largest} are read."
        )
    refuse_depth(data, where, deepest)
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_int,
            parse_float=_float,
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: cannot be read as JSON ({error}).") from error


def refuse_depth(data: bytes, where: str, deepest: int) -> None:
    """BundleError for too many lists and objects, or where they lie too deep in one another."""
    brackets = STRING.sub(b"", data).translate(None, NO_BRACKETS)
    if len(brackets) > 2 * MOST:
        raise BundleError(f"{where}: has more than {MOST} lists and objects.")
    depths = itertools.accumulate(1 if sign in b"[{" else -1 for sign in brackets)
    if max(depths, default=0) > deepest:
        raise BundleError(
            f"{where}: has lists and objects more than {deepest} deep in one another."
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a name twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _int(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= DIGITS else float("inf")
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large, or has too many digits")
    return value
