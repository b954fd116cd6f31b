"""One training over several processes: who I am, and how gradients and weights are shared."""

import os
from collections.abc import Iterable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from modalloy.model.device import device


def start() -> tuple[int, int]:
    """(rank, world) under `torchrun`, (0, 1) otherwise; joins the group on the first call."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return 0, 1
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return dist.get_rank(), dist.get_world_size()


def share_of(chunk: np.ndarray, rank: int, world: int) -> np.ndarray:
    """The rows of a batch that one process takes: each takes at least one.

    A batch of fewer rows than processes is gone through again from its start.
    """
    return np.resize(chunk, max(len(chunk), world))[rank::world]


def average_gradients(parameters: Iterable[nn.Parameter], rows: int, world: int) -> None:
    """Replace each gradient by its mean over processes, weighed by how many rows each one saw.

    A parameter that no process has a gradient of is left without one: a step is not to decay it.
    """
    if world == 1:
        return
    wanted = [p for p in parameters if p.requires_grad]
    parts = [dense(p).flatten() for p in wanted]
    has = torch.tensor([p.grad is not None for p in wanted], device=parts[0].device)
    flat = torch.cat([*parts, has, parts[0].new_ones(1)]) * rows
    dist.all_reduce(flat)
    flat = flat[:-1] / flat[-1]
    *means, has = flat.split([*(p.numel() for p in wanted), len(wanted)])
    for p, mean, some in zip(wanted, means, has.tolist(), strict=True):
        p.grad = mean.view_as(p) if some else None


def dense(p: nn.Parameter) -> Tensor:
    """A parameter's gradient with all its rows; zeros where it has none."""
    if p.grad is None:
        return torch.zeros_like(p)
    return p.grad.to_dense() if p.grad.is_sparse else p.grad


def same_everywhere(tensors: Iterable[Tensor], world: int) -> None:
    """Copy the first process's tensors to all."""
    if world > 1:
        for t in tensors:
            dist.broadcast(t, 0)


def said_by_first(value: float, world: int) -> float:
    """A number that the first process decides and all use."""
    if world == 1:
        return value
    box = torch.tensor([value], dtype=torch.float64, device=device())
    dist.broadcast(box, 0)
    return float(box.item())


def stop() -> None:
    """Leave the group."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
