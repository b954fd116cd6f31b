"""An ensemble of small networks, each of which says a mean and a variance: the surrogate for many
rows.

Lakshminarayanan et al. 2017 (arXiv 1612.01474), without adversarial examples; all members learn at
once, as one batch of matrix products. Letters: E members, N rows, D columns, H hidden, O outputs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from modalloy.designing.surrogates.gaussian_process import FEWEST
from modalloy.designing.surrogates.surrogate import (
    Predicted,
    linked,
    refuse_without_logarithm,
)
from modalloy.errors import DesignError

QUIET = 1e-3  # least deviation that a member says, in deviations of the output
BETA = 0.5
HELD = 0.1  # share of the rows that say when to stop


class Members(nn.Module):
    """E networks of two hidden layers: designs in, means and log variances out."""

    def __init__(
        self, members: int, columns: int, hidden: int, outputs: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = [columns, hidden, hidden, 2 * outputs]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for size, to in pairwise(sizes):
            weight = torch.randn((members, size, to), generator=generator, dtype=torch.float64)
            self.weights.append(nn.Parameter(weight * math.sqrt(2.0 / (size + to))))
            self.biases.append(nn.Parameter(torch.zeros((members, 1, to), dtype=torch.float64)))

    def forward(self, x_END: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and variances of standardised outputs, (E, N, O) each."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_END = torch.baddbmm(bias, x_END, weight)
            if layer + 1 < len(self.weights):
                x_END = functional.silu(x_END)
        mean_ENO, raw_ENO = x_END.chunk(2, dim=-1)
        return mean_ENO, functional.softplus(raw_ENO) + QUIET**2


class Learning(NamedTuple):
    """How members learn: by AdamW, whose rate falls by a cosine over `epochs` passes.

    The weights are kept of the pass after which a tenth of the rows, drawn, were likeliest.
    """

    epochs: int = 200
    batch: int = 64
    rate: float = 1e-2
    decay: float = 1e-3


class Lesson(NamedTuple):
    """Centred designs, standardised outputs, and which of these are known."""

    x_ND: torch.Tensor
    z_NO: torch.Tensor
    known_NO: torch.Tensor


@dataclass(frozen=True)
class DeepEnsemble:
    """Fitted members. shift_O, scale_O: of outputs as they are modelled."""

    members: Members
    shift_O: torch.Tensor
    scale_O: torch.Tensor
    log_O: np.ndarray

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """Mean and deviation of a new run of each design."""
        with torch.no_grad():
            mean_NO, deviation_NO = self.posterior(torch.as_tensor(u_ND, dtype=torch.float64))
        return Predicted(mean_NO.numpy(), deviation_NO.numpy(), self.log_O)

    def posterior(self, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of the members' mixture, with gradients by the designs."""
        count = len(self.members.weights[0])
        mean_ENO, variance_ENO = self.members(centred(u_ND).expand(count, *u_ND.shape))
        mean_NO = mean_ENO.mean(0)
        variance_NO = (variance_ENO + (mean_ENO - mean_NO) ** 2).mean(0)
        return self.shift_O + self.scale_O * mean_NO, self.scale_O * variance_NO.sqrt()

    def disagreement(self, u_ND: torch.Tensor) -> torch.Tensor:
        """The deviation of the members' means, (N, O): what is not known, without what two runs of
        one design differ by."""
        count = len(self.members.weights[0])
        with torch.no_grad():
            mean_ENO, _ = self.members(centred(u_ND).expand(count, *u_ND.shape))
        return self.scale_O * mean_ENO.std(0, correction=0)


def fit_deep_ensemble(
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    *,
    seed: int,
    logs: Sequence[bool] | np.ndarray,
    members: int = 5,
    hidden: int = 64,
    bootstrap: bool = False,
    learning: Learning | None = None,
) -> DeepEnsemble:
    """Fit an ensemble to all outputs together.

    u_ND: designs in [0, 1]. y_NO: outputs; rows with a missing one teach the others. logs: which
    outputs are modelled by their logarithm, as a Gaussian process found. hidden: width of both
    layers. bootstrap: each member learns from rows drawn with replacement, else all from the same
    rows in another order. DesignError where an output has too few values, or
    no logarithm that is to be modelled.
    """
    draw = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    log_O = np.asarray(logs, dtype=bool)
    refuse_without_logarithm(y_NO, log_O)
    t_NO = torch.from_numpy(linked(y_NO, log_O))
    known_NO = torch.isfinite(t_NO)
    if int(known_NO.sum(0).min()) < 2 * FEWEST:
        raise DesignError(
            f"an output has a value in {int(known_NO.sum(0).min())} rows; an ensemble needs at "
            f"least {2 * FEWEST}."
        )
    shift_O = torch.where(known_NO, t_NO, 0.0).sum(0) / known_NO.sum(0)
    square_O = torch.where(known_NO, (t_NO - shift_O) ** 2, 0.0).sum(0) / known_NO.sum(0)
    scale_O = torch.where(square_O > 0, square_O.sqrt(), 1.0)
    z_NO = torch.where(known_NO, (t_NO - shift_O) / scale_O, 0.0)
    x_ND = centred(torch.as_tensor(u_ND, dtype=torch.float64))

    order = draw.permutation(len(x_ND))
    held, some = np.split(order, [max(int(HELD * len(order)), 1)])
    rows_EN = np.stack(
        [draw.choice(some, len(some)) if bootstrap else some for _ in range(members)]
    )
    nets = Members(members, x_ND.shape[1], hidden, z_NO.shape[1], generator=generator)
    learn(nets, Lesson(x_ND, z_NO, known_NO), rows_EN, held, learning or Learning(), draw)
    return DeepEnsemble(nets, shift_O, scale_O, log_O)


def learn(
    nets: Members,
    lesson: Lesson,
    rows_EN: np.ndarray,
    held: np.ndarray,
    learning: Learning,
    draw: np.random.Generator,
) -> None:
    """Teach all members at once, each its own rows in its own order."""
    optimizer = torch.optim.AdamW(nets.parameters(), learning.rate, weight_decay=learning.decay)
    steps = -(-rows_EN.shape[1] // learning.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, learning.epochs * steps)
    held_EN = torch.from_numpy(np.tile(held, (len(rows_EN), 1)))
    best, kept = math.inf, nets.state_dict()
    for _ in range(learning.epochs):
        order_EN = torch.from_numpy(draw.permuted(rows_EN, axis=1))
        for batch_EB in order_EN.split(learning.batch, dim=1):
            optimizer.zero_grad()
            loss(nets, lesson, batch_EB, power=BETA).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            now = float(loss(nets, lesson, held_EN, power=0.0))
        if now < best:
            best, kept = now, {k: v.clone() for k, v in nets.state_dict().items()}
    nets.load_state_dict(kept)


def loss(nets: Members, lesson: Lesson, rows_EB: torch.Tensor, *, power: float) -> torch.Tensor:
    """The negative log-likelihood of rows, summed over members, a mean over rows and outputs.

    Each term is weighed by its variance to a power, which keeps members from calling noise what
    they could still learn (Seitzer et al. 2022, arXiv 2203.09168).
    """
    mean_EBO, variance_EBO = nets(lesson.x_ND[rows_EB])
    off_EBO = (lesson.z_NO[rows_EB] - mean_EBO) ** 2 / variance_EBO
    each_EBO = 0.5 * (variance_EBO.log() + off_EBO) * variance_EBO.detach() ** power
    known_EBO = lesson.known_NO[rows_EB]
    return (each_EBO * known_EBO).sum() / known_EBO.sum() * len(rows_EB)


def centred(u_ND: torch.Tensor) -> torch.Tensor:
    """Designs from [0, 1] about 0, with a deviation of 1 where they are spread evenly."""
    return (u_ND - 0.5) * math.sqrt(12.0)
