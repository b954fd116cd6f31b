"""One training over several processes: who I am, and how gradients and weights are shared."""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from modalloy.answer.answers import EVERYTHING, Answers, join
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.errors import ModalloyError, RunError
from modalloy.learn.sharded import is_parted
from modalloy.model.layers.shared_norms import added_up
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses

PATIENCE = timedelta(days=7)  # that the others wait while the first one checks, reads and tries
Value = TypeVar("Value")


def start() -> tuple[int, int]:
    """(rank, world) under `torchrun`, (0, 1) otherwise; joins the group on the first call."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return 0, 1
    if not dist.is_initialized():
        # Words and arrays go through gloo, so that waiting for them keeps no accelerator busy.
        kinds = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(kinds, timeout=PATIENCE)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return dist.get_rank(), dist.get_world_size()


def share_of(chunk: np.ndarray, rank: int, world: int) -> np.ndarray:
    """The rows of a batch that one process takes: each takes at least one.

    A batch of fewer rows than processes is gone through again from its start; such rows are to
    come out of `unseen`.
    """
    return np.resize(chunk, max(len(chunk), world))[rank::world]


def unseen(batch: Batch) -> Batch:
    """The batch as though nothing were known of its rows, so that it changes no loss."""
    present = {k: torch.zeros_like(t) for k, t in batch.present.items()}
    targets = {k: {**t, "known": torch.zeros_like(t["known"])} for k, t in batch.targets.items()}
    return Batch(batch.values, present, targets, batch.rows[:0])


def mean_losses(losses: Losses, world: int) -> dict[str, Tensor]:
    """Each loss of the whole batch, from the means of each process's rows.

    The gradients are those of this process's part times the number of processes, so that
    `average_gradients` gives the whole batch's.
    """
    if world == 1:
        return losses
    own_N = torch.stack([m.detach().float() for m in losses.values()])
    counts, leasts = zip(*(losses.counts[n] for n in losses), strict=True)
    count_N = torch.stack([c.to(own_N) for c in counts])
    least_N = own_N.new_tensor(leasts)
    weight_N = torch.maximum(count_N, least_N)
    sums_2N = added_up(torch.stack([own_N * weight_N, count_N]))
    total_N = torch.maximum(sums_2N[1], least_N)
    total_N = torch.where(total_N > 0, total_N, 1.0)
    found: dict[str, Tensor] = {}
    for i, (name, mean) in enumerate(losses.items()):
        part = mean * (world * weight_N[i] / total_N[i])
        found[name] = part + (sums_2N[0, i] / total_N[i] - part).detach()
    return found


def average_gradients(parameters: Iterable[nn.Parameter], world: int) -> None:
    """Replace each gradient by its mean over processes.

    Those that are shared out have it already. A parameter that no process has a gradient of is left
    without one: a step is not to decay it.
    """
    if world == 1:
        return
    wanted = [p for p in parameters if p.requires_grad and not is_parted(p)]
    parts = [dense(p).flatten() for p in wanted]
    has = torch.tensor([p.grad is not None for p in wanted], device=parts[0].device)
    flat = added_up(torch.cat([*parts, has])) / world
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


def first_decides(work: Callable[[], Value], world: int) -> Value:
    """What the first process finds out, for all; what it refuses, all refuse."""
    if world == 1:
        return work()
    box: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            box[0] = work()
        except ModalloyError as error:
            box[1] = error
        except Exception as error:
            box[1] = RunError(f"the first process could not go on: {error}")
            dist.broadcast_object_list(box, 0)
            raise
    dist.broadcast_object_list(box, 0)
    if box[1] is not None:
        raise box[1]
    return box[0]


def gathered(own: Value, world: int) -> list[Value]:
    """What every process has found, in the order of the processes."""
    if world == 1:
        return [own]
    found: list[Any] = [None] * world
    dist.all_gather_object(found, own)
    return found


def everywhere(holds: bool, world: int) -> bool:
    """Whether something holds in every process; what comes next, they then do alike."""
    return all(gathered(holds, world))


def answer_together(model: Model, loader: Loader, which: np.ndarray) -> Answers:
    """Answers of some rows, in their order, each process having worked out its share."""
    rank, world = start()
    mine = which[rank::world]
    own = answer_rows(model, loader, mine).seen[EVERYTHING] if len(mine) else None
    parts = [part for part in gathered(own, world) if part is not None]
    places = np.concatenate([np.arange(len(which))[r::world] for r in range(world)])
    return join(parts, np.argsort(places, kind="stable"))


def stop() -> None:
    """Leave the group."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
