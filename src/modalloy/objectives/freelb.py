"""FreeLB: text that was moved in the space of its embeddings (Zhu et al. 2020, 1909.11764).

The steps that look for a worse point also teach: the losses of all points on the way are averaged.
Other columns that may be moved go along. All chance comes from torch's global generator.
"""

import torch

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Net, Objective
from modalloy.objectives.reach import ReachOf, of_tasks, uphill

RATE = 0.4  # of one step


def freelb(objective: Objective[Net], reach_of: ReachOf[Net], *, steps: int) -> Objective[Net]:
    """The mean of the objective over so many points, from a random start up the gradient, while the
    model trains.
    """

    def averaged(model: Net, batch: Batch) -> Losses:
        if not model.training:
            return objective(model, batch)
        reach = reach_of(model, batch)
        u_BM = reach.start(torch.default_generator)
        found: list[Losses] = []
        for _ in range(steps):
            u_BM = u_BM.detach().requires_grad_()
            found.append(objective(model, reach.batch(u_BM)))
            if len(found) < steps:
                u_BM = uphill(of_tasks(found[-1]), reach, u_BM, RATE, keep=True)
        return mean_of(found)

    return averaged


def mean_of(found: list[Losses]) -> Losses:
    """The mean of each loss over several points; they count the same things."""
    losses = Losses()
    for name in found[0]:
        losses[name] = torch.stack([one[name] for one in found]).mean()
    losses.counts = dict(found[0].counts)
    return losses
