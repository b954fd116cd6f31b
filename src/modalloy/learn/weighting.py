"""How several tasks share a training: their named losses weighed into one number to minimise."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.objectives.names import read_name, task_loss


class Weighting(nn.Module):
    """Total loss of a job.

    `sum`: each task's loss is divided by its value at the first step (several tasks only), times
    the task's weight. `uncertainty`: exp(-s) * loss + s / 2 with a learned s a task (Kendall et al.
    2018, arXiv 1705.07115), which a batch without an answer leaves alone. A modality's own head
    counts `fuse.auxiliary` times its task; a divisor is never below a tenth, so that a task solved
    at the start does not explode.
    """

    def __init__(self, job: config.Job) -> None:
        super().__init__()
        self.weights = {name: t.weight for name, t in job.tasks.items()}
        self.auxiliary, self.consistency = job.fuse.auxiliary, job.fuse.consistency
        self.learned = job.train.weighting == "uncertainty"
        self.names = list(job.tasks)
        self.register_buffer("start_N", torch.zeros(len(self.names)))
        if self.learned:
            self.log_variance_N = nn.Parameter(torch.zeros(len(self.names)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighed total, a scalar."""
        self._remember_start(losses)
        total = torch.zeros((), device=self.start_N.device)
        for name, loss in losses.items():
            task, _, inputs = read_name(name)
            if task is None:
                total = total + self.consistency * loss
                continue
            share = self.auxiliary if inputs else 1.0
            total = total + share * self.weights[task] * self._scaled(task, loss)
        return total

    def _scaled(self, task: str, loss: Tensor) -> Tensor:
        i = self.names.index(task)
        if self.learned:
            s = self.log_variance_N[i]
            # A batch without an answer costs exactly nothing; s / 2 alone would drive s down.
            return torch.exp(-s) * loss + s / 2 * (loss.detach() > 0)
        if len(self.names) == 1:
            return loss
        return loss / self.start_N[i].clamp_min(0.1)

    @torch.no_grad()
    def _remember_start(self, losses: Mapping[str, Tensor]) -> None:
        for i, task in enumerate(self.names):
            loss = losses[task_loss(task)]
            if self.start_N[i] == 0 and loss > 0:
                self.start_N[i] = loss.detach()
