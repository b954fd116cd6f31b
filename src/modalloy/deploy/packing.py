"""Puts what was taken into the parts of a bundle: its graphs, and float32 for other machines."""

from collections.abc import Iterable
from dataclasses import replace

from modalloy.deploy.choice import alone
from modalloy.deploy.export_run import Exported, file_stem
from modalloy.deploy.network import Network
from modalloy.deploy.picking import Picked
from modalloy.graphs.branch import Branch, Variant


def made_of(network: Network, picked: Picked, *, small: bool) -> Exported:
    """The run as a bundle holds it; see `carried`."""
    return Exported(*carried(network, picked, small=small), dict(network.absent))


def carried(
    network: Network, picked: Picked, *, small: bool
) -> tuple[dict[str, Branch], dict[str, bytes]]:
    """The branches with what computes them, the taken candidate first, and their files.

    small: where the taken one's own file can be computed in float32, no other one travels along.
    """
    branches, files = {}, {}
    for name, plain in network.base.branches.items():
        taken, stem = picked.tried.get(name), file_stem(name, network.base.inputs)
        variants: list[Variant] = []
        if taken is not None:
            first = taken.candidate.variant(stem)
            variants.append(first)
            files |= dict(zip(first.files, taken.files, strict=True))
        if taken is None or not alone(taken, small=small):
            variants += plain.variants
            files[plain.variants[0].files[0]] = network.data[name]
        elif taken.candidate.precision != "f32":
            variants.append(replace(variants[0], precision="f32"))
        branches[name] = replace(plain, variants=tuple(variants))
    return branches, files


def megabytes(files: Iterable[bytes]) -> float:
    """Of all these files."""
    return sum(map(len, files)) / 1e6
