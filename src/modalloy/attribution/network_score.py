"""A network's score of one row as a function of one media cell, and its gradients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.padding import pad_together
from modalloy.attribution.asked_row import AskedRow, expanded
from modalloy.attribution.outcome import Outcome
from modalloy.errors import JobError
from modalloy.model.tokens import tensors
from modalloy.readers.batch import TABLE

STEPS = 32  # between the flat cell and the real one
AT_ONCE = 8  # cells that go through an encoder together


class NetworkScore:
    """The score of what is explained, with everything in the row as it is but one media cell.

    values: name -> the cell as its reader reads it, rows first, one row.
    """

    def __init__(self, asked: AskedRow, outcome: Outcome, column: str) -> None:
        self.asked, self.outcome, self.column = asked, outcome, column
        read = asked.loader.arrays(column, np.array([asked.row]))
        arrays = {k: a for k, a in pad_together(read).items() if k != "present"}
        self.values = {k: v.to(asked.model.device) for k, v in tensors(arrays).items()}
        self.encoder = asked.model.encoder(column)
        with torch.no_grad():
            self.others = asked.tokens_of(asked.seen_as([frozenset()], {}))

    def __call__(self, **changed: Tensor) -> Tensor:
        """The score of B cells, (B,): each changed value has B rows, all else is as it is."""
        rows = len(next(iter(changed.values())))
        values = {k: v.expand(rows, *v.shape[1:]) for k, v in self.values.items()} | changed
        tokens = {i: expanded(t, rows) for i, t in self.others.items()}
        # Not `trunk_features`: it takes no gradient through a frozen trunk.
        tokens[self.column] = self.encoder.embed(self.encoder.features(values))
        batch = self.asked.seen_as([frozenset()] * rows, {})
        task = self.outcome.task
        output = self.asked.model.decide(tokens, batch, [task])
        return self.outcome.score(output.tasks[task])

    def many(self, name: str, x: Tensor) -> np.ndarray:
        """The score of as many cells as `x` has rows, some at a time, without gradients."""
        with torch.no_grad():
            parts = [self(**{name: some}) for some in x.split(AT_ONCE)]
        return torch.cat(parts).double().cpu().numpy()

    def gradients(self, name: str, flat: Tensor) -> tuple[np.ndarray, float]:
        """Integrated gradients of one value (Sundararajan et al. 2017, 1703.01365), and how far
        their sum is from what it should be, as a share of the change of the score.

        flat: the value of a cell that says nothing, where the way begins.
        """
        x = self.values[name].to(flat.dtype)
        method = captum().IntegratedGradients(lambda x: self(**{name: x}))
        part = method.attribute(x, baselines=flat, n_steps=STEPS, internal_batch_size=AT_ONCE)
        return part[0].detach().cpu().numpy(), self.gap(name, x, flat, float(part.sum()))

    def layer_gradients(self, name: str, flat: Tensor, layer: torch.nn.Module) -> np.ndarray:
        """Integrated gradients of what a layer makes of a value of whole numbers, (L,)."""
        method = captum().LayerIntegratedGradients(lambda x: self(**{name: x}), layer)
        x = self.values[name]
        part = method.attribute(x, baselines=flat, n_steps=STEPS, internal_batch_size=AT_ONCE)
        return part[0].sum(-1).detach().cpu().numpy()

    def gap(self, name: str, x: Tensor, flat: Tensor, total: float) -> float:
        """What a sum of parts leaves unexplained of the change between two cells, as a share."""
        there, before = self.many(name, torch.cat([x, flat]))
        return abs(total - (there - before)) / max(abs(there - before), 1e-3)


def captum() -> Any:
    """The library of attribution methods; JobError where it is not installed."""
    try:
        from captum import attr  # seconds that other verbs never need
    except ImportError as error:
        raise JobError(
            "explain needs the package captum, which is not installed; "
            "run: pip install 'modalloy[explain]'"
        ) from error
    return attr


def network_part(asked: AskedRow, task: str) -> float:
    """The share of a task's answer that the network and its own heads have; 1 without a blend."""
    mixture = asked.blend.tasks.get(task)
    return 1.0 if mixture is None else mixture.network + sum(mixture.heads.values())


def media_columns(asked: AskedRow) -> Mapping[str, Any]:
    """Readers of the media columns whose cell is there in the row."""
    there = [c for c in asked.columns if c not in asked.plain]
    return {c: asked.run.readers[c] for c in there if c != TABLE}
