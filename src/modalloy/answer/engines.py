"""Which engine answers for a run: torch for a run, graphs for a bundle."""

from typing import TYPE_CHECKING

from modalloy.answer.engine import Engine
from modalloy.runs.run import Run

if TYPE_CHECKING:
    from modalloy.model.model import Model


def engine_for(run: Run) -> Engine:
    """The network of a run, ready to answer."""
    from modalloy.answer.torch_engine import TorchEngine

    return TorchEngine(run.model())


def torch_model(engine: Engine, run: Run) -> "Model":
    """The model inside an engine of torch. RunError for a bundle of graphs: only a run learns on,
    and only it can be looked into.
    """
    from modalloy.answer.torch_engine import TorchEngine

    assert isinstance(engine, TorchEngine), f"{run.path} answers through torch"
    return engine.model
