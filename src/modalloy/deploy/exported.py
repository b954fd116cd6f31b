"""A run as what a bundle of it holds, and the ways to compute that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.torch import load

from modalloy.answer.engine import Engine
from modalloy.answer.engines import graph_engine, left
from modalloy.answer.torch_engine import TorchEngine
from modalloy.bundle.bundled import PARITY, parts_of
from modalloy.bundle.told import BRANCHES, MACHINE
from modalloy.deploy.parity import Parity
from modalloy.graphs.branch import Branch, Variant
from modalloy.graphs.open import session_of
from modalloy.machine.fingerprint import fingerprint
from modalloy.machine.limits import cores
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.runs.run import Run


@dataclass(frozen=True)
class Exported:
    """A run as what a bundle of it holds, before anybody has judged it.

    branches: by input, fusion and heads under `FUSION`; none where torch answers. files: what they
    name. absent: media input -> what stands for a missing one, (D,). weights: of a network of
    torch.
    """

    branches: dict[str, Branch]
    files: dict[str, bytes]
    absent: dict[str, np.ndarray]
    weights: bytes | None = None

    def parts(self, run: Run) -> dict[str, bytes]:
        """All parts of the bundle."""
        return parts_of(run, self.absent, weights=self.weights) | self.files

    def notes(self, judged: Sequence[Parity] = ()) -> dict[str, Any]:
        """What the manifest says of it. judged: by whom, and how they agreed with the run."""
        return {
            BRANCHES: [b.state() for b in self.branches.values()],
            MACHINE: fingerprint().state(),
            PARITY: {one.label: one.as_dict() for one in judged},
        }

    def ways(self) -> dict[str, dict[str, Variant]]:
        """Every way to compute it, by what reports call it: for each branch its variant of this
        number, the last one where it has fewer.
        """
        found: dict[str, dict[str, Variant]] = {}
        for number in range(max((len(b.variants) for b in self.branches.values()), default=0)):
            own = {n: left(b, number).variants[0] for n, b in self.branches.items()}
            found[" + ".join(sorted({v.label for v in own.values()}))] = own
        return found

    def engine(self, run: Run, way: Mapping[str, Variant]) -> Engine:
        """The network computed in one way."""
        sessions = {
            name: session_of(variant, [self.files[f] for f in variant.files], threads=cores())
            for name, variant in way.items()
        }
        return graph_engine(run, self.branches, sessions, self.absent)

    def engines(self, run: Run) -> Iterator[tuple[str, Engine]]:
        """Every way to compute it as an engine, by what reports call it."""
        if self.weights is not None:
            yield "torch f32", TorchEngine(self.model(run))
        for label, way in self.ways().items():
            yield label, self.engine(run, way)

    def model(self, run: Run) -> Model:
        """The network of torch anew, from the weights that are written."""
        assert self.weights is not None, "torch answers"
        model = Model(run.job, run.readers, run.targets, pretrained=False, trunks=run.trunks)
        model.load_state_dict(load(self.weights))
        return placed(model).eval()
