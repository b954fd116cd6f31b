"""Which engine answers for a run: torch for a run, graphs for a bundle."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from modalloy.answer.engine import Engine
from modalloy.answer.golden_rows import golden_from, strange
from modalloy.bundle.bundled import Bundle, unchecked
from modalloy.bundle.golden_note import GOLDEN
from modalloy.bundle.told import rightly
from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.graphs.devices import AUTO, device_named, refuse_device
from modalloy.graphs.open import open_session
from modalloy.graphs.session import Session
from modalloy.machine.fingerprint import fingerprint, same_kind
from modalloy.machine.limits import cores, refuse_threads
from modalloy.runs.run import Run

if TYPE_CHECKING:
    from modalloy.model.model import Model


def engine_for(run: Run, *, device: str | None = None, threads: int | None = None) -> Engine:
    """The network of a run, ready to answer; the graphs of a bundle, each on its device.

    device: `cpu`, `gpu`, `npu` or `auto`, for None what a bundle was opened for. threads: that a
    graph of a bundle may use, for None one for each core of this process; torch has its own word
    for it. BundleError for a device that is none or not here; JobError for less than one thread.
    """
    refuse_threads(threads)
    wanted = device_named(device or (run.device if isinstance(run, Bundle) else AUTO))
    if isinstance(run, Bundle) and run.branches:
        return bundled_engine(run, wanted, threads or cores())
    from modalloy.answer.torch_engine import TorchEngine

    refuse_device(wanted, ("torch",))
    model = run.network() if isinstance(run, Bundle) else run.model()
    engine = TorchEngine(model.cpu() if wanted == "cpu" else model)
    at_home = engine.model.device.type == "cpu"
    if isinstance(run, Bundle) and (found := doubts(run, engine, at_home=at_home)):
        raise answers_otherwise(run, found)
    return engine


def bundled_engine(bundle: Bundle, device: str, threads: int) -> Engine:
    """The graphs of a bundle, each by the first of its variants that can run here.

    On a machine of another kind, and where a graph runs elsewhere than on the processor, its golden
    rows are answered first. Where they are decided
    otherwise than when the bundle was made, the next variants are tried, and BundleError says that
    it does not answer rightly here where none of them does.
    """
    branches, first = bundle.branches, []
    most = max(len(b.variants) for b in branches.values())
    for number in range(most):
        some = {n: left(b, number) for n, b in branches.items()}
        sessions = {
            name: open_session(branch, bundle.part, device=device, threads=threads)
            for name, branch in some.items()
        }
        engine = graph_engine(bundle, some, sessions, bundle.absent())
        at_home = all(s.device == "cpu" for s in sessions.values())
        if not (found := doubts(bundle, engine, at_home=at_home, first=number == 0)):
            return engine
        first = first or found
    raise answers_otherwise(bundle, first)


def answers_otherwise(bundle: Bundle, found: list[str]) -> BundleError:
    """What to say of a bundle whose golden rows come out otherwise here."""
    return BundleError(
        f"{bundle.path}: does not answer here as where it was made: {'; '.join(found)}. Export the "
        "run anew on this machine."
    )


def left(branch: Branch, number: int) -> Branch:
    """The branch without so many of its first variants; its last one always stays."""
    return replace(branch, variants=branch.variants[min(number, len(branch.variants) - 1) :])


def doubts(bundle: Bundle, engine: Engine, *, at_home: bool, first: bool = True) -> list[str]:
    """What golden rows say against an engine here; nothing is asked on a machine of the same kind
    as the bundle was made on. A bundle without such rows leaves a sentence in `Engine.notes`, and
    one in `Engine.caveats` where they would have been asked.

    at_home: all of it is computed by the processor, as where it was made. first: whether it is the
    way that is to be used first.
    """
    then = bundle.machine
    engine.notes = unchecked(bundle)
    if at_home and (then is None or same_kind(then, fingerprint()).same):
        return []
    with rightly(bundle.path):
        held = bundle.without_rows is None
        golden = golden_from(bundle.part(GOLDEN), engine) if held else None
    if golden is None and bundle.golden_rows:
        return [f"its {GOLDEN} holds no rows, and the manifest says {bundle.golden_rows}"]
    if golden is not None:
        try:
            return strange(engine, golden, first=first)
        except Exception as error:  # engines and drivers raise anything
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            return [f"its golden rows cannot be answered ({said})"]
    why = "" if bundle.without_rows is None else f" ({bundle.without_rows})"
    engine.caveats = [
        f"{bundle.path.name} was made on another kind of machine or device and holds no rows to "
        f"compare by{why}; compare some answers with those of its run"
    ]
    return []


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
