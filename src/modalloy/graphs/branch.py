"""What a bundle says of each of its graphs: what goes in, what comes out, and who can run it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from modalloy.errors import RunError

EngineName = Literal["onnxruntime", "openvino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Precision = Literal["f32", "bf16", "f16", "int8"]
FUSION = ""  # the name of the graph of fusion and heads, which no input can have


@dataclass(frozen=True)
class Port:
    """An array that goes into a graph.

    dtype: as numpy writes it. shape: with -1 where rows or lengths vary; rows come first.
    """

    dtype: str
    shape: tuple[int, ...]

    def blank(self, rows: int) -> np.ndarray:
        """Zeros of so many rows, as short as can be."""
        return np.zeros((rows, *(1 if n < 0 else n for n in self.shape[1:])), np.dtype(self.dtype))


@dataclass(frozen=True)
class Variant:
    """One way to compute a branch.

    files: names in the bundle, of OpenVINO's form the weights second. precision: that it computes
    in. device: that it is for, `cpu` where nothing else was asked for.
    """

    engine: EngineName
    files: tuple[str, ...]
    precision: Precision = "f32"
    device: str = "cpu"

    @property
    def label(self) -> str:
        """What reports call it, such as `openvino f16`."""
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Branch:
    """One graph of a network: the encoder of an input, or fusion and heads.

    name: of the input, `FUSION` for the last one. inputs, outputs: names of what goes in and comes
    out. maps: shapes (F, H, W) of feature maps. variants: who computes it, the one to use first;
    one of float32 is always among them.
    """

    name: str
    inputs: Mapping[str, Port]
    outputs: tuple[str, ...]
    maps: tuple[tuple[int, ...], ...]
    variants: tuple[Variant, ...]

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The branch whose `state` this is. RunError for what this version does not know."""
        try:
            ports = {n: Port(p["dtype"], tuple(p["shape"])) for n, p in state["inputs"].items()}
            variants = tuple(
                Variant(v["engine"], tuple(v["files"]), v["precision"], v["device"])
                for v in state["variants"]
            )
            maps = tuple(tuple(m) for m in state["maps"])
            found = cls(state["name"], ports, tuple(state["outputs"]), maps, variants)
        except (KeyError, TypeError) as error:
            raise RunError(f"a graph of the bundle is not described in full: {error}") from error
        for variant in variants:
            if variant.engine not in ENGINES or variant.precision not in get_args(Precision):
                raise RunError(
                    f"the bundle's graph of '{found.name or 'fusion'}' is for {variant.label}, "
                    "which this version does not know; upgrade modalloy."
                )
        return found
