"""Checkpoints: the state of a training on disk and back, bit for bit; no pickle.

A frozen trunk is read again from its package or folder, unless it came from neither.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from modalloy.errors import RunError
from modalloy.learn.optimizer import trained
from modalloy.learn.sharded import parted, parted_like, whole
from modalloy.learn.state import State, kept
from modalloy.machine.files import write_safely

TOTAL = "weighting."  # tensors of what makes one number of the losses


def save_state(
    path: Path, state: State, best: dict[str, Tensor], notes: dict[str, Any], *, write: bool = True
) -> None:
    """Write a checkpoint: a temporary file, flushed to disk, then renamed over the old one.

    best: the best weights so far, by name. notes: JSON that comes back unchanged (epoch, position,
    figures). write: another process does; this one only gives its part of what is shared out.
    """
    weights, total = state.model.state_dict(), state.module
    held = kept(state.model) | {n: weights[n] for n in state.unread}
    tensors = {f"model.{n}": t for n, t in held.items()}
    tensors |= {TOTAL + n: t for n, t in total.state_dict().items()}
    tensors |= {f"average.{n}": t for n, t in state.average.items()}
    tensors |= {f"best.{n}": t for n, t in best.items()}
    names = {id(p): n for n, p in trained(state.model)}
    names |= {id(p): TOTAL + n for n, p in total.named_parameters()}
    for p, values in state.optimizer.state.items():
        for key, value in values.items():
            if value is not None:
                tensors[f"optimizer.{names[id(p)]}.{key}"] = torch.as_tensor(value)
    tensors = {n: whole(t.detach()).cpu().clone().contiguous() for n, t in tensors.items()}
    if not write:
        return
    meta = json.dumps({**notes, "step": state.step, "steps": state.steps})
    write_safely(path, save(tensors, {"modalloy": meta}))


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the notes of a checkpoint. RunError if it is broken."""
    try:
        with safe_open(path, "pt") as file:
            notes = json.loads(file.metadata()["modalloy"])
            tensors = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118 not a mapping
    except Exception as error:
        raise RunError(
            f"{path}: this checkpoint cannot be read ({error}); delete it to start anew."
        ) from error
    return tensors, notes


def load_state(
    tensors: Mapping[str, Tensor], notes: Mapping[str, Any], state: State
) -> dict[str, Tensor]:
    """Put what a checkpoint holds into the state of the same job; answers the best weights.

    Averages and moments go to where their parameter is.
    """
    weights = state.model.state_dict()
    state.model.load_state_dict(parted_like(part(tensors, "model."), weights), strict=False)
    state.module.load_state_dict(part(tensors, TOTAL))
    named = dict(trained(state.model))
    averages = part(tensors, "average.").items()
    state.average = {n: parted(t.to(named[n].device), named[n]) for n, t in averages}
    named |= {TOTAL + n: p for n, p in state.module.named_parameters()}
    for name, value in part(tensors, "optimizer.").items():
        parameter, _, key = name.rpartition(".")
        p = named[parameter]
        there = value.to(p.device)
        state.optimizer.state[p][key] = parted(there, p) if there.shape == p.shape else there
    state.step, state.steps = notes["step"], notes["steps"]
    return parted_like(part(tensors, "best."), weights)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names start with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
