"""Reinforcement learning by the policy gradient: REINFORCE with a learned baseline (Williams 1992)
over the process of buying.
"""

from collections.abc import Sequence

import numpy as np
import torch

from modalloy.economy.arms.nets import Nets
from modalloy.economy.lessons import Lessons
from modalloy.policy.rules import Rule, Scored

NAME = "policy gradient (RL)"
STEPS = 200
ROWS = 128  # that go the way together in each step
ENTROPY = 0.02  # weight at the first step, falling to 0
NEVER = -1e9  # the logit of what cannot be bought


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """A policy for each price, all learned together on ways that they draw themselves.

    States are what has been bought and the answer with it; actions are to buy one more input or to
    stop; the reward is minus the price of what is bought, and at the end minus the risk. The rule
    that is kept takes the likeliest action.
    """
    draw = torch.Generator().manual_seed(seed)
    count = len(lessons.names)
    nets = Nets(lessons, len(prices), count + 2, draw)  # buy each, stop, and the baseline
    rng = np.random.default_rng(seed)

    def loss_of(step: int) -> torch.Tensor:
        rows = np.arange(len(lessons))
        if len(rows) > ROWS:
            rows = rng.choice(len(rows), ROWS, replace=False)
        return one_step(nets, lessons, rows, prices, ENTROPY * (1.0 - step / STEPS), draw)

    nets.learn(STEPS, loss_of)
    kept = nets.kept(lambda last: last[..., :count] - last[..., count : count + 1])
    return [Scored((net,), np.ones(count), 0.0) for net in kept]


def one_step(
    nets: Nets,
    lessons: Lessons,
    rows: np.ndarray,
    prices: Sequence[float],
    entropy: float,
    draw: torch.Generator,
) -> torch.Tensor:
    """The loss whose gradient is the policy's, from one drawn way of each row under each price."""
    count, shape = len(lessons.names), (len(prices), len(rows))
    set_PB, alive_PB = np.zeros(shape, dtype=np.int64), np.ones(shape, dtype=bool)
    row_PB = np.broadcast_to(rows, shape)
    price_P1 = np.asarray(prices)[:, None]
    steps, rewards = [], []
    for _ in range(count + 1):
        seen = lessons.seen(set_PB.ravel(), row_PB.ravel())
        open_PBM = torch.from_numpy(seen.open_BM).view(*shape, count)
        out_PBO = nets(torch.from_numpy(seen.inputs()).view(*shape, -1))
        logits_PBA = out_PBO[..., : count + 1].clone()
        logits_PBA[..., :count] = logits_PBA[..., :count].masked_fill(~open_PBM, NEVER)
        log_PBA = logits_PBA.log_softmax(-1)
        with torch.no_grad():
            flat = log_PBA.exp().view(-1, count + 1)
            action_PB = torch.multinomial(flat, 1, generator=draw).view(*shape)
        own_PB = log_PBA.gather(-1, action_PB.unsqueeze(-1)).squeeze(-1)
        spread_PB = -(log_PBA.exp() * log_PBA.clamp(min=-50)).sum(-1)
        steps.append((own_PB, spread_PB, out_PBO[..., -1], torch.from_numpy(alive_PB.copy())))
        action = action_PB.numpy()
        buys_PB = alive_PB & (action < count)
        ends_PB = alive_PB & (action == count)
        at = np.minimum(action, count - 1)
        paid_PB = price_P1 * lessons.cost_M[at] * buys_PB
        rewards.append(-paid_PB - lessons.risk_SN[set_PB, row_PB] * ends_PB)
        set_PB = np.where(buys_PB, set_PB | lessons.bits_M[at], set_PB)
        alive_PB = buys_PB
        if not alive_PB.any():
            break
    after_PB = np.cumsum(np.stack(rewards)[::-1], axis=0)[::-1]
    loss = torch.zeros(())
    for (own_PB, spread_PB, value_PB, alive), after in zip(steps, after_PB, strict=True):
        back_PB = torch.from_numpy(after.copy()).float()
        gain_PB = (back_PB - value_PB).detach()
        scale = gain_PB[alive].std().clamp(min=1e-3) if alive.sum() > 1 else 1.0
        part = -(own_PB * gain_PB / scale) - entropy * spread_PB + (back_PB - value_PB) ** 2
        loss = loss + (part * alive).sum() / len(rows)
    return loss
