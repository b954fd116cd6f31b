"""How far a run goes from its old weights to the learned ones, so that it keeps what it knew."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

STEPS = tuple(i / 10 for i in range(10, 0, -1))  # shares of the way that are tried


class Kept(NamedTuple):
    """A share of the way from old to learned weights, points lost on old rows there and gained on
    new ones; share 0 where none holds.
    """

    share: float
    lost: float
    gained: float


class Tried(NamedTuple):
    """What a share of the way costs and brings, in points."""

    lost: float
    gained: float


def between(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights so far from the old ones towards the new ones (WiSE-FT, Wortsman et al. 2021,
    2109.01903); whole numbers, such as counters, are the new ones.
    """
    return {
        name: torch.lerp(old[name].to(w), w, share) if w.is_floating_point() else w
        for name, w in new.items()
    }


def keep_old(
    model: nn.Module,
    old: Mapping[str, Tensor],
    judge: Callable[[], Tried],
    *,
    most: float,
    shares: Sequence[float] = STEPS,
) -> Kept:
    """Leave the model at that share of the way which gains most on new rows among those that lose
    no more than `most` points on old ones.

    judge: asked with each share's weights in the model. The paper takes one share for all; ours is
    chosen on rows that were held back. The model has its old weights where no share holds.
    """
    new = {n: t.detach().clone() for n, t in model.state_dict().items()}
    held = {n: old[n] for n in new}
    best = Kept(0.0, 0.0, 0.0)
    for share in shares:
        model.load_state_dict(between(held, new, share))
        lost, gained = judge()
        if lost <= most and gained > best.gained:
            best = Kept(share, lost, gained)
    model.load_state_dict(between(held, new, best.share) if best.share else dict(held))
    return best
