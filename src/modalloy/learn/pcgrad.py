"""Gradients of tasks without what they have against one another (Yu et al. 2020, PCGrad,
2001.06782).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def project(gradients_NP: Tensor, orders: Sequence[Sequence[int]]) -> Tensor:
    """The sum of the tasks' gradients, (P,), each without its part against the others'.

    orders: for each task the others, in the order in which it gives way to them. A gradient that
    points against another one, as that was before any change, loses its part along it.
    """
    length_N = gradients_NP.square().sum(1)
    total_P = torch.zeros_like(gradients_NP[0])
    for own_P, others in zip(gradients_NP.unbind(0), orders, strict=True):
        left_P = own_P.clone()
        for j in others:
            along = left_P @ gradients_NP[j]
            if along < 0:
                left_P -= along / length_N[j] * gradients_NP[j]
        total_P += left_P
    return total_P


def set_gradients(
    parameters: Sequence[nn.Parameter], by_task: Sequence[Tensor], rest: Tensor | None
) -> None:
    """Give every parameter its gradient: of those that several tasks have, the projected sum; of
    the others, such as a task's head, the plain one.

    rest: what belongs to no task; its gradient is added as it is. Orders are drawn from torch's
    global generator.
    """
    found = [gradients(loss, parameters) for loss in by_task]
    added = gradients(rest, parameters) if rest is not None else [None] * len(parameters)
    shared = [i for i in range(len(parameters)) if sum(g[i] is not None for g in found) > 1]
    projected: Mapping[int, Tensor] = {}
    if shared:
        rows = [[dense(g[i], parameters[i]).flatten() for i in shared] for g in found]
        gradients_NP = torch.stack([torch.cat(row) for row in rows])
        sizes = [parameters[i].numel() for i in shared]
        parts = project(gradients_NP, draw_orders(len(found))).split(sizes)
        projected = dict(zip(shared, parts, strict=True))
    for i, p in enumerate(parameters):
        own = [projected[i].view_as(p)] if i in projected else [g[i] for g in found]
        known = [dense(g, p) for g in [*own, added[i]] if g is not None]
        p.grad = torch.stack(known).sum(0) if known else None


def gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Sequence[Tensor | None]:
    """Of a loss by each parameter; None where it does not depend on it."""
    if not loss.requires_grad:
        return [None] * len(parameters)
    return torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)


def draw_orders(tasks: int) -> list[list[int]]:
    """For each task the others in a random order."""
    return [[j for j in torch.randperm(tasks).tolist() if j != i] for i in range(tasks)]


def dense(gradient: Tensor | None, p: nn.Parameter) -> Tensor:
    """A gradient with all its rows; zeros for None."""
    if gradient is None:
        return torch.zeros_like(p)
    return gradient.to_dense() if gradient.is_sparse else gradient
