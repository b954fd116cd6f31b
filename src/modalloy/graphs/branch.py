"""What a bundle says of each of its graphs: what goes in, what comes out, and who can run it."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from pydantic import TypeAdapter, ValidationError

from modalloy.errors import BundleError

EngineName = Literal["onnxruntime", "openvino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Precision = Literal["f32", "bf16", "f16", "int8"]
FUSION = ""  # the name of the graph of fusion and heads, which no input can have
DTYPES = ("bool", "int32", "int64", "uint8", "float16", "float32", "float64")
MOST = 1 << 28  # numbers of one row in one array


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
    in.
    """

    engine: EngineName
    files: tuple[str, ...]
    precision: Precision = "f32"

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
    def from_state(cls, state: Mapping[str, Any], parts: Collection[str]) -> Self:
        """The branch whose `state` this is. BundleError for what this version does not know.

        parts: names of the bundle's parts, which alone may be its files.
        """
        try:
            found = TypeAdapter(cls).validate_json(json.dumps(state), strict=True)
        except ValidationError as error:
            raise misdescribed(error) from error
        named = f"the bundle's graph of '{found.name or 'fusion'}'"
        if not found.variants:
            raise BundleError(f"{named} has no way to be computed; export the bundle again.")
        for port in found.inputs.values():
            if port.dtype not in DTYPES or not is_shape(port.shape):
                raise BundleError(
                    f"{named} takes {port.dtype} {port.shape}, which no reader makes; export the "
                    "bundle again."
                )
        if not all(len(m) == 3 and min(m) > 0 and math.prod(m) <= MOST for m in found.maps):
            raise BundleError(f"{named} has maps without a size; export the bundle again.")
        for variant in found.variants:
            if not are_graph(variant, parts):
                raise BundleError(
                    f"{named} names the files {', '.join(map(repr, variant.files)) or 'of none'}; "
                    "it may be one .onnx of the bundle, or for openvino one .xml and the .bin of "
                    "the same name. Do not use this bundle."
                )
        return found


def are_graph(variant: Variant, parts: Collection[str]) -> bool:
    """Whether its files are such as are looked at before an engine parses them.

    Which look a part gets is told by its ending, and engines look at what is in it, not at that.
    """
    if not set(variant.files) <= set(parts):
        return False
    match variant.files:
        case (one,):
            return one.endswith(".onnx")
        case (graph, weights):
            own = variant.engine == "openvino" and graph.endswith(".xml")
            return own and weights == f"{graph.removesuffix('.xml')}.bin"
        case _:
            return False


def is_shape(shape: tuple[int, ...]) -> bool:
    """Whether these are rows and what one of them has, within reason."""
    own = [n for n in shape[1:] if n != -1]
    return shape[:1] == (-1,) and all(n > 0 for n in own) and math.prod(own) <= MOST


def misdescribed(error: ValidationError) -> BundleError:
    """What to say of a description that has another form."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "literal_error":
        return BundleError(
            f"a graph of the bundle has {where} {first['input']!r}, which this version does not "
            "know; upgrade modalloy."
        )
    return BundleError(
        f"a graph of the bundle is not described in full ({where}: {first['msg']}); export the "
        "bundle again."
    )
