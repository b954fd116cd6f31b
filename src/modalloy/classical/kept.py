"""Fitted parts as JSON beside arrays by name, and the way back; nothing is pickled."""

from collections.abc import Mapping
from typing import Any

import numpy as np

State = tuple[dict[str, Any], dict[str, np.ndarray]]


def joined(parts: Mapping[str, State]) -> State:
    """One state of several: the arrays of a part have its name in front, as in `a.x`."""
    meta = {name: meta for name, (meta, _) in parts.items()}
    arrays = {f"{n}.{key}": a for n, (_, found) in parts.items() for key, a in found.items()}
    return meta, arrays


def part_of(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], name: str
) -> tuple[Any, dict[str, np.ndarray]]:
    """The state that `joined` took under this name."""
    front = f"{name}."
    return meta[name], {k.removeprefix(front): a for k, a in arrays.items() if k.startswith(front)}


def listed(states: list[State]) -> State:
    """One state of a list of them."""
    meta, arrays = joined({str(i): state for i, state in enumerate(states)})
    return {"count": len(states), **meta}, arrays


def each_of(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[State]:
    """The states that `listed` took."""
    return [part_of(meta, arrays, str(i)) for i in range(meta["count"])]
