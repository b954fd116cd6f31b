"""How several tasks share a training: their named losses weighed into one number to minimise."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.learn.famo import Famo
from modalloy.learn.pcgrad import set_gradients
from modalloy.objectives.names import read_name, task_loss


class Weighting(nn.Module):
    """Total loss of a job.

    `sum`: each task's loss is divided by its value at the first step (several tasks only), times
    the task's weight. `uncertainty`: exp(-s) * loss + s / 2 with a learned s a task (Kendall et al.
    2018, arXiv 1705.07115), which a batch without an answer leaves alone. `famo`: see `famo.py`.
    `pcgrad`: the sum, whose gradient is made by `pcgrad.py`. A modality's own head counts
    `fuse.auxiliary` times its task; a divisor is never below a tenth, so that a task solved at the
    start does not explode.
    """

    def __init__(self, job: config.Job) -> None:
        super().__init__()
        self.weights = {name: t.weight for name, t in job.tasks.items()}
        self.auxiliary, self.consistency = job.fuse.auxiliary, job.fuse.consistency
        self.learned = job.train.weighting == "uncertainty"
        self.projects = job.train.weighting == "pcgrad"
        self.names = list(job.tasks)
        self.register_buffer("start_N", torch.zeros(len(self.names)))
        if self.learned:
            self.log_variance_N = nn.Parameter(torch.zeros(len(self.names)))
        self.famo = Famo(len(self.names)) if job.train.weighting == "famo" else None

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighed total, a scalar."""
        self._remember_start(losses)
        total = torch.zeros((), device=self.start_N.device)
        if self.famo is not None:
            weight_N = torch.tensor([self.weights[n] for n in self.names], device=total.device)
            return self.famo(self._by_task(losses), weight_N) + self._rest(losses)
        for name, loss in losses.items():
            task, _, inputs = read_name(name)
            if task is None:
                total = total + self.consistency * loss
                continue
            share = self.auxiliary if inputs else 1.0
            total = total + share * self.weights[task] * self._scaled(task, loss)
        return total

    def backward(self, losses: Mapping[str, Tensor], model: nn.Module) -> None:
        """Give all weights of a model their gradients, each task's own where `pcgrad` projects
        them.
        """
        parameters = [p for p in model.parameters() if p.requires_grad]
        by_task_N = self._by_task(losses)
        scaled = [
            self.weights[n] * self._scaled(n, loss)
            for n, loss in zip(self.names, by_task_N.unbind(0), strict=True)
        ]
        set_gradients(parameters, scaled, self._rest(losses))

    def learn(self, losses: Mapping[str, Tensor]) -> None:
        """What `famo` learns from the same losses after the step."""
        assert self.famo is not None
        self.famo.learn(self._by_task(losses).detach())

    def _by_task(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Each task's loss with its own heads', (N,)."""
        found: dict[str, Tensor] = {}
        for name, loss in losses.items():
            task, _, inputs = read_name(name)
            if task is not None:
                share = self.auxiliary if inputs else 1.0
                found[task] = share * loss + found[task] if task in found else share * loss
        return torch.stack([found[n] for n in self.names])

    def _rest(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What belongs to no task."""
        parts = [loss for name, loss in losses.items() if read_name(name).task is None]
        return self.consistency * sum(parts, torch.zeros((), device=self.start_N.device))

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
