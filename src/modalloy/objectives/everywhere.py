"""Rows of all processes that train together: a contrast compares each row with all of them."""

import torch
import torch.distributed as dist
from torch import Tensor

from modalloy.model.layers.shared_norms import added_up, total


def everywhere(x_N: Tensor, *, together: bool) -> Tensor:
    """The rows (N, ...) of all processes one after the other, the same in each; only this one's for
    a process that trains alone.

    Each process takes the loss of all rows then. Its gradient comes back to the process whose row
    it is, as the sum of what all of them send, so that the mean over processes is the gradient of
    that one loss.
    """
    if not together:
        return x_N
    counts = torch.zeros(dist.get_world_size(), device=x_N.device)
    counts[dist.get_rank()] = len(x_N)
    shares = added_up(counts).long().tolist()
    before, after = sum(shares[: dist.get_rank()]), sum(shares[dist.get_rank() + 1 :])
    kind, rest = x_N, x_N.shape[1:]
    if not x_N.is_floating_point():
        kind = x_N.float()
    whole = torch.cat([kind.new_zeros(before, *rest), kind, kind.new_zeros(after, *rest)])
    return total(whole).to(x_N.dtype)
