"""Learning beside the layers of encoders (`tune: lora`): begun, driven, and folded into the weights."""

from dataclasses import replace
from functools import partial
from typing import Any

from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.change import Scheduled
from modalloy.learn.state import State
from modalloy.model.adapted import inside
from modalloy.model.adapters.adalora import Allocation
from modalloy.model.adapters.attach import attach_tuned, merge
from modalloy.model.adapters.ranks import told_ranks
from modalloy.model.model import Model
from modalloy.runs.start import Started


def begin_adapted(model: Model, started: Started | None) -> Started | None:
    """Put beside the layers what the job asks for; what is known of an earlier run, renewed.

    Frozen weights that came from that run are no package's: a checkpoint must hold them.
    """
    attach_tuned(model)
    adapted = model.adapted
    if adapted is None or started is None:
        return started
    roots = [place.root for place in adapted.places]
    held = {
        name
        for name, p in model.named_parameters()
        if not p.requires_grad and any(inside(name, root) for root in roots)
    }
    rest = {n for n in started.unread if not any(inside(n, root) for root in roots)}
    return replace(started, unread=frozenset(held | rest))


def end_adapted(model: Model) -> dict[str, Any] | None:
    """Fold what was learned into the weights; what a run's notes say of it, None where nothing
    stood beside any layer."""
    if model.adapted is None:
        return None
    late = model.allocation.settle(model) if isinstance(model.allocation, Allocation) else 0
    note = told_ranks(model)
    if late:
        note["late"] = late
    merge(model)
    return note


def allocating(model: Model, settings: config.Train) -> Scheduled | None:
    """The change of weights that drives AdaLoRA's schedule; None where the model has none."""
    if not isinstance(model.allocation, Allocation):
        return None
    _, world = processes.start()
    return Scheduled(settings, world, before=regularise, after=share_out)


def regularise(state: State[Model]) -> None:
    """Keep AdaLoRA's matrices orthogonal."""
    assert isinstance(state.model.allocation, Allocation)
    state.model.allocation.regularise(state.model)


def share_out(state: State[Model]) -> None:
    """Note what was important in this step, and take directions away; the average forgets them."""
    allocation = state.model.allocation
    assert isinstance(allocation, Allocation)
    allocation.update(state.model, state.step, state.steps)
    for name, values in allocation.values(state.model):
        if name in state.average:
            state.average[name].mul_(values != 0)
