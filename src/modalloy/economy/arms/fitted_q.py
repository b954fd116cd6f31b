"""Reinforcement learning by fitted Q: backward induction over the process of buying, with the
return of every set known (Ernst et al. 2005; costly features as such a process: Janisch et al.
2019, arXiv 1711.07364).
"""

from collections.abc import Sequence

import numpy as np
import torch

from modalloy.economy.arms.nets import Nets, States
from modalloy.economy.lessons import Lessons
from modalloy.policy.rules import Rule, Scored

NAME = "fitted Q (RL)"
STEPS = 160


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """A policy for each price, all learned together, from states with nearly all inputs bought back
    to those with none.

    One network for each number of inputs bought regresses how much better it is to buy an input and
    go on as learned than to stop. The value of going on is what the learned rule then really earns
    on the row, never the largest estimate, which would flatter. Nothing is explored: training rows
    have every column.
    """
    draw, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    count = len(lessons.names)
    size_S = lessons.bought_SM.sum(1)
    price_P = np.asarray(prices, dtype=np.float64)
    earned_PSN = np.tile(-lessons.risk_SN, (len(price_P), 1, 1))  # by stopping, until it is better
    levels: list[Nets] = []
    for bought in range(count - 1, -1, -1):
        states = States(lessons, np.flatnonzero(size_S == bought))
        nets = Nets(lessons, len(price_P), count, draw)
        levels.insert(0, nets)
        if not len(states):
            continue
        step_back(nets, states, earned_PSN, price_P, rng)
    nets_PK = zip(*(nets.kept() for nets in levels), strict=True)
    return [Scored(tuple(own), np.ones(count), 0.0) for own in nets_PK]


def step_back(
    nets: Nets,
    states: States,
    earned_PSN: np.ndarray,
    price_P: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Learn what to do in states with one input less, and put what that earns into the table."""
    lessons, row_T = states.lessons, states.row_T
    stop_PT = earned_PSN[:, states.set_T, row_T]
    on_PTM = earned_PSN[:, states.after(), row_T[:, None]]
    on_PTM = on_PTM - price_P[:, None, None] * lessons.cost_M
    gain_PTM = torch.from_numpy(on_PTM - stop_PT[:, :, None]).float()
    open_TM = states.open()
    mask_TM, some = torch.from_numpy(open_TM).float(), states.drawn(rng)

    def loss_of(step: int) -> torch.Tensor:
        del step
        at = next(some)
        off_PBM = (nets(states.inputs(at)) - gain_PTM[:, at]) ** 2 * mask_TM[at]
        return off_PBM.sum() / mask_TM[at].sum().clamp(min=1.0)

    nets.learn(STEPS, loss_of)
    with torch.no_grad():
        said_PTM = nets(states.inputs(np.arange(len(states)))).numpy()
    said_PTM = np.where(open_TM, said_PTM, -np.inf)
    best_PT = said_PTM.argmax(2)
    buys_PT = np.take_along_axis(said_PTM, best_PT[:, :, None], 2)[:, :, 0] > 0.0
    bought_PT = np.take_along_axis(on_PTM, best_PT[:, :, None], 2)[:, :, 0]
    earned_PSN[:, states.set_T, row_T] = np.where(buys_PT, bought_PT, stop_PT)
