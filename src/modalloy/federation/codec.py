"""A change of weights in few bytes: the largest numbers, in few bits, and what was left out kept.

Top-k with error feedback (Stich et al. 2018, 1809.07599; Lin et al. 2018, 1712.01887): what a round
does not send is added to the next change, so that it arrives later and not never.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

BLOCK = 4096  # numbers that share one scale of 8 bits
Arrays = dict[str, np.ndarray]


@dataclass
class Codec:
    """Encodes changes of one site. keep: share of the numbers. bits: of each, 32, 16, 8 or 4.

    waiting: what was not sent yet, by name; `remembers` False throws it away, as privacy demands:
    a memory would say more of old rows than their noise allows.
    """

    keep: float
    bits: int
    remembers: bool = True
    waiting: Arrays = field(default_factory=dict)

    def encode(self, change: Mapping[str, np.ndarray]) -> Arrays:
        """The arrays of a message; names and shapes are the receiver's to know."""
        if not change:
            return {}
        if self.keep >= 1.0 and self.bits == 32:
            return {f"d/{n}": x.astype(np.float32) for n, x in change.items()}
        names = list(change)
        whole = {n: change[n].astype(np.float32) + self.waiting.get(n, 0.0) for n in names}
        flat = np.concatenate([whole[n].ravel() for n in names])
        at = largest(flat, self.keep)
        x = flat if at is None else flat[at]
        sent, arrays = quantised(x, self.bits)
        if at is not None:
            arrays["gaps"] = gaps_of(at)
        left = flat.copy()
        if at is None:
            left -= sent
        else:
            left[at] -= sent
        if self.remembers:
            self.waiting |= parted(left, {n: whole[n].shape for n in names})
        return {f"c/{n}": a for n, a in arrays.items()}


def decode(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """The change that these arrays tell; shapes: of the weights that it is of, in its order.

    ValueError where it does not fit them.
    """
    if not any(n.startswith("c/") for n in arrays):
        found = {n[2:]: x for n, x in arrays.items() if n.startswith("d/")}
        for name, x in found.items():
            if name not in shapes or tuple(x.shape) != tuple(shapes[name]):
                raise ValueError(f"'{name}' has another shape")
        return found
    x = numbers({n[2:]: a for n, a in arrays.items() if n.startswith("c/")})
    size = sum(int(np.prod(s)) for s in shapes.values())
    if "c/gaps" not in arrays:
        if len(x) != size:
            raise ValueError(f"{len(x)} numbers came for {size} weights")
        return parted(x, shapes)
    at = places_of(arrays["c/gaps"])
    if len(at) != len(x) or (len(at) and not 0 <= at.min() <= at.max() < size):
        raise ValueError("places and numbers do not belong together")
    flat = np.zeros(size, np.float32)
    flat[at] = x
    return parted(flat, shapes)


def largest(flat: np.ndarray, keep: float) -> np.ndarray | None:
    """Places of this share of the numbers, the largest ones, ascending; None for all of them."""
    if keep >= 1.0:
        return None
    count = max(1, round(keep * len(flat)))
    return np.sort(np.argpartition(-np.abs(flat), count - 1)[:count])


def quantised(x_K: np.ndarray, bits: int) -> tuple[np.ndarray, Arrays]:
    """The numbers as they will be read, and the arrays that say so."""
    if bits == 32:
        return x_K, {"x": x_K}
    if bits == 16:
        half = np.clip(x_K, -65504.0, 65504.0).astype(np.float16)
        return half.astype(np.float32), {"x": half}
    blocks = -(-len(x_K) // BLOCK)
    most = 2 ** (bits - 1) - 1
    padded = np.pad(x_K, (0, blocks * BLOCK - len(x_K))).reshape(blocks, BLOCK)
    scale = (np.abs(padded).max(1) / most).astype(np.float32)
    safe = np.where(scale > 0, scale, 1.0)[:, None]
    codes = np.clip(np.rint(padded / safe), -most, most).astype(np.int8)
    read = (codes * scale[:, None]).ravel()[: len(x_K)].astype(np.float32)
    codes = codes.ravel()[: len(x_K)]
    if bits == 8:
        return read, {"x": codes, "scale": scale}
    halves = np.pad((codes + 8).astype(np.uint8), (0, len(codes) % 2)).reshape(-1, 2)
    packed = (halves[:, 0] << 4) | halves[:, 1]
    return read, {"x": packed, "scale": scale, "count": np.array([len(codes)], np.int64)}


def numbers(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The numbers of `quantised`'s arrays."""
    x = arrays["x"]
    if x.dtype == np.uint8:
        both = np.stack([x >> 4, x & 15], 1).ravel()
        x = (both.astype(np.int8) - 8)[: int(arrays["count"][0])]
    elif x.dtype != np.int8:
        return x.astype(np.float32)
    scale = np.repeat(arrays["scale"], BLOCK)[: len(x)]
    if len(scale) != len(x):
        raise ValueError("scales are missing")
    return x.astype(np.float32) * scale


def gaps_of(at_K: np.ndarray) -> np.ndarray:
    """Ascending places as bytes: each distance in groups of 7 bits, the last one below 128."""
    gap = np.diff(at_K, prepend=-1).astype(np.int64) - 1
    parts = [gap & 127]
    rest = gap >> 7
    while rest.any():
        parts.append(rest & 127)
        rest >>= 7
    digits_KG = np.stack(parts, 1)
    used_K = np.maximum(1, (digits_KG > 0).cumsum(1).argmax(1) + 1)
    there_KG = np.arange(digits_KG.shape[1]) < used_K[:, None]
    more_KG = np.arange(digits_KG.shape[1]) < used_K[:, None] - 1
    return (digits_KG | (more_KG << 7))[there_KG].astype(np.uint8)


def places_of(data: np.ndarray) -> np.ndarray:
    """Undo `gaps_of`."""
    x = data.astype(np.int64)
    ends = np.flatnonzero(x < 128)
    if len(x) and (not len(ends) or ends[-1] != len(x) - 1):
        raise ValueError("places are cut off")
    first = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    which = np.repeat(np.arange(len(ends)), ends - first + 1)
    digit = np.arange(len(x)) - first[which]
    gap = np.zeros(len(ends), np.int64)
    np.add.at(gap, which, (x & 127) << (7 * digit))
    return np.cumsum(gap + 1) - 1


def parted(flat: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """One row of numbers as named arrays."""
    found, at = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name], at = flat[at : at + size].reshape(shape), at + size
    return found
