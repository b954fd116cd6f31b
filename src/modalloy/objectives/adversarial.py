"""Adversarial training: an objective on rows that somebody who sees the weights has moved.

`fgsm_rs`: one step from a random start (Wong, Rice & Kolter 2020, 2001.03994). `pgd`: several
(Madry et al. 2018, 1706.06083). A share of rows may stay as it is; they teach beside the others in
the same batch, which keeps clean answers. All chance comes from torch's global generator.
"""

import torch
from torch import Tensor

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Net, Objective
from modalloy.objectives.reach import ReachOf, climb, draw_rows, of_tasks

RATE = 1.25  # of one step, as Wong et al. found best: it may pass the end of what is allowed
PGD_RATE = 2.5  # of all steps together, as Madry et al. take it


def fgsm_rs(
    objective: Objective[Net], reach_of: ReachOf[Net], *, share: float = 1.0
) -> Objective[Net]:
    """The objective where rows were moved by one step from a random start, while the model trains.

    share: chance that a row is moved.
    """
    return attacking(objective, reach_of, steps=1, rate=RATE, share=share)


def pgd(
    objective: Objective[Net], reach_of: ReachOf[Net], *, steps: int, share: float = 1.0
) -> Objective[Net]:
    """The same with several steps, which take so many times as long."""
    return attacking(objective, reach_of, steps=steps, rate=PGD_RATE / steps, share=share)


def attacking(
    objective: Objective[Net], reach_of: ReachOf[Net], *, steps: int, rate: float, share: float
) -> Objective[Net]:
    """The objective on batches that `attacked` has moved, while the model trains."""

    def wrapped(model: Net, batch: Batch) -> Losses:
        if not model.training:
            return objective(model, batch)
        only_B = draw_rows(batch, share)
        return objective(model, attacked(objective, model, batch, reach_of, steps, rate, only_B))

    return wrapped


def attacked(
    objective: Objective[Net],
    model: Net,
    batch: Batch,
    reach_of: ReachOf[Net],
    steps: int,
    rate: float,
    only_B: Tensor,
) -> Batch:
    """The batch with these rows moved from a random start to where the tasks' loss is larger."""
    reach = reach_of(model, batch)

    def loss_of(other: Batch) -> Tensor:
        return of_tasks(objective(model, other))

    start_BM = reach.start(torch.default_generator)
    u_BM = climb(loss_of, reach, start_BM, steps=steps, rate=rate, only_B=only_B)
    return reach.batch(u_BM)
