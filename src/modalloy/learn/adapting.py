"""Learning beside the layers of encoders (`tune: lora`): begun, driven, folded into weights."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.checks.finding import Level
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.change import Scheduled
from modalloy.learn.state import State
from modalloy.model.adapted import inside
from modalloy.model.adapters.adalora import Allocation
from modalloy.model.adapters.attach import attach, attach_tuned, merge
from modalloy.model.adapters.budget import Asked, attach_budgeted, measure
from modalloy.model.adapters.ranks import told_ranks
from modalloy.model.body import Body
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.runs.start import Started

MEASURED = 2048  # training rows that say which layers need capacity
AT_ONCE = 32  # of them


def begin_adapted(model: Body, started: Started | None) -> Started | None:
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


def end_adapted(model: Body) -> dict[str, Any] | None:
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


def say_adapted(note: Mapping[str, Any]) -> Iterator[tuple[Level, str]]:
    """What stood beside the layers of which columns, and what is to be known of it."""
    share = note["learned"] / note["parameters"]
    parts = [
        f"{name} {said_capacity(own)}" for name, own in note["columns"].items() if own["numbers"]
    ]
    told = "; ".join(parts) or "no layer asked for any"
    yield "note", f"learned by {note['method']} ({share:.1%} of all numbers learned): {told}"
    if note.get("late"):
        yield (
            "warning",
            f"training ended before ranks had shrunk to what was asked for: {note['late']} "
            "directions of least importance were taken away unjudged; give more epochs or patience",
        )


def said_capacity(own: Mapping[str, float]) -> str:
    """Directions and numbers of one column."""
    ranks = f"{own['rank']:.0f} directions in {own['layers']:.0f} layers, " if own["rank"] else ""
    return f"{ranks}{own['numbers']:,.0f} numbers"


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


def attach_here(
    model: Model,
    loader: Loader,
    rows: np.ndarray,
    options: config.Adapter,
    *,
    columns: tuple[str, ...] | None = None,
) -> list[str]:
    """Attach to a model that answers already, its ranks shared out where a budget is given.

    rows: training rows, by which layers are judged. What frozen encoders said of rows is forgotten
    where they change from now on. Answers the changed layers.
    """
    if options.budget_kb is None:
        made = attach(model, options, columns=columns)
    else:
        asked = measured(model, loader, rows, options, columns=columns)
        made = attach_budgeted(model, options, asked, columns=columns)
    for name, encoder in model.encoders.items():
        if not encoder.still and (features := loader.features.pop(name, None)) is not None:
            features.kept.close()
    return made


def measured(
    model: Model,
    loader: Loader,
    rows: np.ndarray,
    options: config.Adapter,
    *,
    columns: tuple[str, ...] | None = None,
) -> dict[str, Asked]:
    """What each layer asks for, by training rows (`MEASURED` of them at most, drawn by the seed).

    Rows come as cells, not as what frozen encoders said of them.
    """
    draw = np.random.default_rng(model.job.seed)
    some = draw.permutation(rows)[:MEASURED]
    size = max(1, min(AT_ONCE, len(some) // 2))
    chunks = [some[i : i + size] for i in range(0, len(some), size)]
    kept = dict(loader.features)
    loader.features.clear()
    try:
        batches = (Batch.of(arrays, model.device) for arrays in loader.stream(chunks))
        return measure(model, options, batches, whole_loss, columns=columns)
    finally:
        loader.features.update(kept)


def whole_loss(model: Model, batch: Batch) -> Tensor:
    """All losses of a batch together."""
    return torch.stack(list(supervised(model, batch).values())).sum()
