"""Weights of tasks that make all of them fall alike, from how far each has fallen in the last step:
one backward pass whatever their number (Liu et al. 2023, FAMO, 2306.03792).
"""

import torch
from torch import Tensor, nn

RATE, DECAY = 0.025, 0.01  # of the weights, as the authors' code has them
BETAS, SMALL = (0.9, 0.999), 1e-8


class Famo(nn.Module):
    """The logarithms of losses, weighed by z = softmax(xi) and scaled so that their gradients are a
    mean of the tasks'; xi follows the change of the logarithms by Adam (Kingma & Ba 2015).

    Tasks whose loss is zero, because a batch has no answer, neither count nor change.
    """

    xi_N: Tensor
    mean_N: Tensor
    square_N: Tensor
    before_N: Tensor
    steps_N: Tensor

    def __init__(self, tasks: int) -> None:
        super().__init__()
        for name in ("xi_N", "mean_N", "square_N", "before_N", "steps_N"):
            self.register_buffer(name, torch.zeros(tasks))

    def forward(self, losses_N: Tensor, weight_N: Tensor) -> Tensor:
        """sum_i w_i z_i log(l_i) / sum_i z_i / l_i, the divisor without a gradient; a scalar.

        weight_N: of the tasks, as the job has them.
        """
        self.before_N = losses_N.detach()
        known_N = self.before_N > 0
        z_N = among(self.xi_N, known_N)
        safe_N = torch.where(known_N, losses_N, losses_N.detach().clamp_min(1.0)).clamp_min(SMALL)
        scale = (z_N / safe_N.detach()).sum().clamp_min(SMALL)
        return (weight_N * z_N * safe_N.log()).sum() / scale

    @torch.no_grad()
    def learn(self, after_N: Tensor) -> None:
        """Change the weights by the same losses after the step: a task that fell less gains."""
        known_N = (self.before_N > 0) & (after_N > 0)
        if not known_N.any():
            return
        fell_N = self.before_N.clamp_min(SMALL).log() - after_N.clamp_min(SMALL).log()
        fell_N = torch.where(known_N, fell_N, 0.0)
        z_N = among(self.xi_N, known_N)
        slope_N = z_N * (fell_N - (z_N * fell_N).sum()) + DECAY * self.xi_N
        mean_N = self.mean_N.lerp(slope_N, 1 - BETAS[0])
        square_N = self.square_N.lerp(slope_N.square(), 1 - BETAS[1])
        self.steps_N += known_N
        self.mean_N = torch.where(known_N, mean_N, self.mean_N)
        self.square_N = torch.where(known_N, square_N, self.square_N)
        steps_N = self.steps_N.clamp_min(1.0)
        mean_N = self.mean_N / (1 - BETAS[0] ** steps_N)
        spread_N = (self.square_N / (1 - BETAS[1] ** steps_N)).sqrt() + SMALL
        self.xi_N -= torch.where(known_N, RATE * mean_N / spread_N, 0.0)


def among(xi_N: Tensor, known_N: Tensor) -> Tensor:
    """The softmax over some tasks, 0 of the others."""
    return torch.where(known_N, xi_N, -torch.inf).softmax(0).nan_to_num(0.0)
