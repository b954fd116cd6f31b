"""Which engine answers for a run: torch for a run, graphs for a bundle."""

from typing import TYPE_CHECKING

from modalloy.answer.engine import Engine
from modalloy.bundle.bundled import Bundle
from modalloy.errors import BundleError
from modalloy.graphs.open import open_session
from modalloy.machine.limits import cores
from modalloy.runs.run import Run

if TYPE_CHECKING:
    from modalloy.model.model import Model


def engine_for(run: Run) -> Engine:
    """The network of a run, ready to answer; the graphs of a bundle, each on its device."""
    if isinstance(run, Bundle):
        return bundled_engine(run)
    from modalloy.answer.torch_engine import TorchEngine

    return TorchEngine(run.model())


def bundled_engine(bundle: Bundle) -> Engine:
    """The graphs of a bundle, each by the first of its variants that can run here."""
    from modalloy.answer.graph_engine import GraphEngine

    sessions = {
        name: open_session(branch, bundle.part, device=bundle.device, threads=cores())
        for name, branch in bundle.branches.items()
    }
    given = (bundle.job, bundle.readers, bundle.targets, bundle.branches, sessions)
    return GraphEngine(*given, bundle.absent())


def torch_model(engine: Engine, run: Run) -> "Model":
    """The model inside an engine of torch. BundleError for a bundle of graphs: only a run learns
    on, and only it can be looked into.
    """
    from modalloy.answer.torch_engine import TorchEngine

    if not isinstance(engine, TorchEngine):
        raise BundleError(
            f"{run.path}: is a bundle of graphs, which cannot be looked into; give the run that it "
            "was exported from."
        )
    return engine.model
