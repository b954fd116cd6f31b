"""Batch norms with the figures of new rows (Li et al. 2016, 1603.04779), mixed with those of
training where new rows are few (Schneider et al. 2020, 2006.16971).
"""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn

from modalloy.model.model import Model
from modalloy.model.tokens import Batch

PRIOR_ROWS = 16.0  # that the figures of training count as


def batch_norms(
    model: Model, *, but: Collection[str] = ()
) -> list[nn.modules.batchnorm._BatchNorm]:
    """All batch norms with running figures but those of these inputs' encoders."""
    left = {id(m) for name in but for m in model.encoder(name).modules()}
    return [
        m
        for m in model.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm)
        and m.track_running_stats
        and id(m) not in left
    ]


@torch.no_grad()
def re_estimate(
    model: Model,
    batches: Iterable[Batch],
    *,
    but: Collection[str] = (),
    prior_rows: float = PRIOR_ROWS,
) -> int:
    """Give batch norms the mean figures of these batches, in place; how many norms there are.

    (N * training's + n * new) / (N + n), where n is the number of new rows and N is `prior_rows`.
    All norms are estimated in one pass, each on what the others let through by a batch's own
    figures. Tasks whose heads hold no such norm are not answered. The model is in evaluation mode
    afterwards.
    """
    norms = batch_norms(model, but=but)
    model.eval()
    if not norms:
        return 0
    before = [(figures(n)[0].clone(), figures(n)[1].clone(), n.momentum) for n in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    tasks = tasks_with(model, norms)
    rows = 0
    for batch in batches:
        model(batch, tasks)
        rows += len(batch)
    for norm, (mean_C, var_C, momentum) in zip(norms, before, strict=True):
        seen = norm.num_batches_tracked
        known = seen is not None and int(seen) > 0  # else no row had its input
        share = rows / (prior_rows + rows) if known else 0.0
        for new_C, old_C in zip(figures(norm), (mean_C, var_C), strict=True):
            new_C.lerp_(old_C, 1.0 - share)
        norm.momentum = momentum
    model.eval()
    return len(norms)


def tasks_with(model: Model, norms: Iterable[nn.Module]) -> list[str]:
    """The tasks whose heads hold some of these norms."""
    wanted = {id(norm) for norm in norms}
    return [n for n, t in model.tasks.items() if any(id(m) in wanted for m in t.modules())]


def figures(norm: nn.modules.batchnorm._BatchNorm) -> tuple[Tensor, Tensor]:
    """Its running mean and variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
