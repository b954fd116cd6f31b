"""Early exits: a row goes through as many blocks as its answer takes.

Exits are fitted to a finished model, whose own weights stay: the maps to the last block's states by
least squares, the heads by cross entropy against what the model decides at full depth, both on
training rows. The threshold is the lowest from which on held-out rows are answered as at full depth
in the share that is asked for; it says nothing of rows unlike those.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from modalloy.compression.exit_fitting import fit_exits, watched, width_of
from modalloy.compression.lever import (
    Changed,
    Rows,
    copied,
    input_of,
    inputs_of,
    noted,
    refuse_features,
    refuse_share,
)
from modalloy.errors import JobError
from modalloy.model.compressed.exits import ExitingStack, put_exits
from modalloy.model.compressed.stacks import SINGLE, stacks_of
from modalloy.model.model import Model
from modalloy.model.tasks.classify import Classify
from modalloy.model.tokens import Batch

NEVER = 2.0  # a threshold that no chance reaches
THRESHOLDS = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # that are tried


def exit_early(
    model: Model, rows: Rows, share: float, *, inputs: Sequence[str] | None = None
) -> Changed:
    """A copy in which rows leave a list of blocks as soon as its exit is sure enough.

    share: of held-out rows that are to be answered as at full depth, in (0, 1]; a decision is the
    class of every task of classes. inputs: whose encoder gets exits: the one with the most blocks
    for None. Where no threshold keeps the promise all rows go all the way, and the record says so.

    The record holds `exits`, list of blocks -> `width`, `classes`; the `threshold`, and of held-out
    rows the `agreement` and the `mean_depth` of `blocks`. JobError where no task has single
    classes, no encoder a list of blocks, and without held-out rows.
    """
    refuse_share("early exit", share)
    refuse_features(rows.learn)
    if not len(rows.held):
        raise JobError("early exit: its threshold is chosen by held-out rows, and there are none")
    refuse_features(rows.held)
    smaller = copied(model)
    tasks = [n for n, t in smaller.tasks.items() if isinstance(t, Classify) and not t.multi]
    if not tasks:
        raise JobError("early exit: no task chooses one class, so nothing says how sure a row is")
    name = longest_stack(smaller, inputs)
    stack = smaller.get_submodule(name)
    assert isinstance(stack, nn.ModuleList)
    truth = decided(smaller, rows.learn, tasks)
    width = width_of(smaller, f"{name}.0", rows.learn[0])
    classes = len(np.unique(numbered(truth)))
    put_exits(smaller, {name: {"width": width, "classes": classes}})
    exiting = smaller.get_submodule(f"{name}.0")
    assert isinstance(exiting, ExitingStack)
    owner = input_of(smaller, name)
    fit_exits(smaller, exiting, owner, rows.learn, torch.from_numpy(numbered(truth)))
    chosen = calibrate(smaller, exiting, rows.held, tasks, share)
    record = {
        "lever": "exit_early",
        "inputs": inputs_of(smaller, [name]),
        "share": share,
        "exits": {name: {"width": width, "classes": classes}},
        "blocks": len(exiting.blocks),
        **chosen,
    }
    return noted(smaller, record)


def longest_stack(model: Model, inputs: Sequence[str] | None) -> str:
    """The list with the most blocks in the encoders of these inputs; of equal ones the first."""
    found = {
        name: len(stack)
        for name, stack in stacks_of(model, SINGLE).items()
        if input_of(model, name) not in model.shared.values()
        and (inputs is None or input_of(model, name) in inputs)
    }
    if not found:
        raise JobError(
            "early exit: no encoder has a list of transformer blocks to leave; BERT and its like, "
            "ViT, DINOv2, CLIP, SigLIP and texts from scratch have"
        )
    return max(found, key=lambda name: found[name])


@torch.no_grad()
def decided(model: Model, batches: Sequence[Batch], tasks: Sequence[str]) -> np.ndarray:
    """The classes that a model chooses, (N, tasks)."""
    found = []
    for batch in batches:
        out = model(batch, tasks).tasks
        chosen = [out[name]["logits"].float().mean(1).argmax(1) for name in tasks]
        found.append(torch.stack(chosen, 1).cpu().numpy())
    return np.concatenate(found)


def numbered(classes_NK: np.ndarray) -> np.ndarray:
    """Each combination of classes as one number from 0, (N,)."""
    return np.unique(classes_NK, axis=0, return_inverse=True)[1].reshape(-1)


def calibrate(
    model: Model,
    stack: ExitingStack,
    batches: Sequence[Batch],
    tasks: Sequence[str],
    share: float,
) -> dict[str, float]:
    """Set the lowest threshold from which on this share of rows is answered as at full depth, and
    say what it gives: `threshold`, `agreement`, `mean_depth` of rows that the blocks have seen.
    """
    set_threshold(stack, NEVER)
    truth = decided(model, batches, tasks)
    best = {"threshold": NEVER, "agreement": 1.0, "mean_depth": float(len(stack.blocks))}
    for threshold in THRESHOLDS:
        set_threshold(stack, threshold)
        depths: list[Tensor] = []

        def look(_: tuple, out: Tensor, depths: list = depths) -> None:
            depths.append(stack.depths_of(len(out)))

        with watched(stack, look):
            found = decided(model, batches, tasks)
        agreement = float((found == truth).all(1).mean())
        if agreement < share:
            break
        depth = float(torch.cat(depths).double().mean()) if depths else float(len(stack.blocks))
        best = {"threshold": threshold, "agreement": agreement, "mean_depth": depth}
    set_threshold(stack, best["threshold"])
    return best


def set_threshold(stack: ExitingStack, threshold: float) -> None:
    """From how sure on rows leave."""
    stack.get_buffer("threshold").fill_(threshold)
