"""Which engine answers for a run: torch for a run, graphs for a bundle."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from modalloy.answer.engine import Engine
from modalloy.bundle.bundled import Bundle
from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.graphs.devices import AUTO, refuse_device
from modalloy.graphs.open import open_session
from modalloy.graphs.session import Session
from modalloy.machine.limits import cores
from modalloy.runs.run import Run

if TYPE_CHECKING:
    from modalloy.model.model import Model


def engine_for(run: Run, *, device: str | None = None) -> Engine:
    """The network of a run, ready to answer; the graphs of a bundle, each on its device.

    device: `cpu`, `gpu`, `npu` or `auto`, for None what a bundle was opened for. BundleError for
    one that is not here.
    """
    wanted = device or (run.device if isinstance(run, Bundle) else AUTO)
    if isinstance(run, Bundle) and run.branches:
        return bundled_engine(run, wanted)
    from modalloy.answer.torch_engine import TorchEngine

    refuse_device(wanted, ("torch",))
    model = run.network() if isinstance(run, Bundle) else run.model()
    return TorchEngine(model.cpu() if wanted == "cpu" else model)


def bundled_engine(bundle: Bundle, device: str) -> Engine:
    """The graphs of a bundle, each by the first of its variants that can run here."""
    sessions = {
        name: open_session(branch, bundle.part, device=device, threads=cores())
        for name, branch in bundle.branches.items()
    }
    return graph_engine(bundle, bundle.branches, sessions, bundle.absent())


def graph_engine(
    run: Run,
    branches: Mapping[str, Branch],
    sessions: Mapping[str, Session],
    absent: Mapping[str, np.ndarray],
) -> Engine:
    """Graphs as the engine of a run; see `GraphEngine`."""
    from modalloy.answer.graph_engine import GraphEngine

    return GraphEngine(run.job, run.readers, run.targets, branches, sessions, absent)


def torch_model(engine: Engine, run: Run) -> "Model":
    """The model inside an engine of torch. BundleError for a bundle of graphs: only a run learns
    on, and only it can be looked into.
    """
    from modalloy.answer.torch_engine import TorchEngine

    if not isinstance(engine, TorchEngine) or isinstance(run, Bundle):
        raise BundleError(
            f"{run.path}: is a bundle, which cannot be looked into; give the run that it "
            "was exported from."
        )
    return engine.model
