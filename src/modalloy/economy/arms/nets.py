"""Several small networks that learn side by side, one a price; what learned rules are made of."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from modalloy.economy.lessons import Lessons
from modalloy.policy.net import Net

HIDDEN = 24
RATE, DECAY = 0.01, 1e-4
AT_ONCE = 1024  # states a step


class Nets(nn.Module):
    """P networks of one hidden layer over standardised inputs, (P, B, F) or (B, F) to (P, B, O)."""

    def __init__(self, lessons: Lessons, count: int, outputs: int, draw: torch.Generator) -> None:
        super().__init__()
        center_F, scale_F = spread(lessons)
        self.center_F, self.scale_F = torch.from_numpy(center_F), torch.from_numpy(scale_F)
        width = len(center_F)
        self.w1_PFH = nn.Parameter(normal(draw, count, width, HIDDEN) * (2.0 / width) ** 0.5)
        self.b1_P1H = nn.Parameter(torch.zeros(count, 1, HIDDEN))
        self.w2_PHO = nn.Parameter(normal(draw, count, HIDDEN, outputs) * 0.1 / HIDDEN**0.5)
        self.b2_P1O = nn.Parameter(torch.zeros(count, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Of each network its own rows, or the same rows for all."""
        z = (x - self.center_F) / self.scale_F
        return torch.relu(z @ self.w1_PFH + self.b1_P1H) @ self.w2_PHO + self.b2_P1O

    def kept(self, of: Callable[[Tensor], Tensor] = lambda last: last) -> list[Net]:
        """Each as arrays. of: what becomes of the last layer's weights and offsets, (..., O)."""
        w2_PHO, b2_P1O = of(self.w2_PHO.detach()), of(self.b2_P1O.detach())
        parts = (self.w1_PFH.detach(), self.b1_P1H.detach(), w2_PHO, b2_P1O)
        both = (self.center_F.numpy(), self.scale_F.numpy())
        return [
            Net(*both, w1.numpy(), b1[0].numpy(), w2.numpy(), b2[0].numpy())
            for w1, b1, w2, b2 in zip(*parts, strict=True)
        ]

    def learn(self, steps: int, loss_of: Callable[[int], Tensor]) -> None:
        """So many steps of Adam that lower what `loss_of` says of each step."""
        change = torch.optim.Adam(self.parameters(), RATE, weight_decay=DECAY)
        for step in range(steps):
            for group in change.param_groups:
                group["lr"] = RATE * (1.0 - step / steps)
            loss = loss_of(step)
            change.zero_grad()
            loss.backward()
            change.step()


def normal(draw: torch.Generator, *shape: int) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=draw)


def spread(lessons: Lessons) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of what rules see over all sets and rows, (F,) float32."""
    masks = np.full(2 * len(lessons.names), 0.5, dtype=np.float32)
    x_F = lessons.x_SNF.mean((0, 1), dtype=np.float64).astype(np.float32)
    scale_F = lessons.x_SNF.std((0, 1), dtype=np.float64).astype(np.float32)
    return np.concatenate([masks, x_F]), np.concatenate(
        [masks, np.where(scale_F < 1e-4, 1, scale_F)]
    )


class States:
    """States that rows can be in: sets of inputs that are there. set_T, row_T: of each state."""

    def __init__(self, lessons: Lessons, sets: np.ndarray) -> None:
        bought_SM = lessons.bought_SM[sets]
        reachable_SN = ~(bought_SM[:, None] & ~lessons.there_NM).any(2)
        at_S, self.row_T = np.nonzero(reachable_SN)
        self.lessons, self.set_T = lessons, sets[at_S]

    def __len__(self) -> int:
        return len(self.set_T)

    def inputs(self, at: np.ndarray) -> Tensor:
        """What rules see of some states, (B, 2M + F)."""
        return torch.from_numpy(self.lessons.seen(self.set_T[at], self.row_T[at]).inputs())

    def open(self) -> np.ndarray:
        """Which inputs each state could still buy, (T, M) bool."""
        return self.lessons.seen(self.set_T, self.row_T).open_BM

    def after(self) -> np.ndarray:
        """The set that each state has after buying each input, (T, M)."""
        return self.set_T[:, None] | self.lessons.bits_M

    def drawn(self, draw: np.random.Generator) -> Iterator[np.ndarray]:
        """Positions of states, all of them in turn, `AT_ONCE` at a time and without an end."""
        if len(self) <= AT_ONCE:
            while True:
                yield np.arange(len(self))
        while True:
            order = draw.permutation(len(self))
            for start in range(0, len(self) - AT_ONCE + 1, AT_ONCE):
                yield order[start : start + AT_ONCE]
