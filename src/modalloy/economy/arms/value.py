"""The value network: it learns how much each purchase would lower the loss, and the best value for
its cost is bought (DIME, Gadgil et al. 2024, arXiv 2306.03301).
"""

from collections.abc import Sequence

import numpy as np
import torch

from modalloy.economy.arms.nets import Nets, States
from modalloy.economy.lessons import Lessons
from modalloy.policy.rules import Rule, Scored

NAME = "value network"
STEPS = 160
FREE = 1e-3  # share of all cost below which inputs cost the same


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """One network for all prices: the gain of buying an input, regressed in every state.

    In the paper states come from the policy's own ways, and predictions are bounded by what is left
    to know. Here the gain of every purchase of every training row is known, so that all states
    teach. It stops where no gain for its cost exceeds a limit: as many limits as prices, evenly
    spread over what is predicted.
    """
    draw = torch.Generator().manual_seed(seed)
    states = States(lessons, np.arange((1 << len(lessons.names)) - 1))
    row_T1 = states.row_T[:, None]
    loss_T1 = lessons.loss_SN[states.set_T, states.row_T][:, None]
    gain_TM = torch.from_numpy(loss_T1 - lessons.loss_SN[states.after(), row_T1]).float()
    open_TM = torch.from_numpy(states.open()).float()
    net = Nets(lessons, 1, len(lessons.names), draw)
    some = states.drawn(np.random.default_rng(seed))

    def loss_of(step: int) -> torch.Tensor:
        del step
        at = next(some)
        off_BM = (net(states.inputs(at))[0] - gain_TM[at]) ** 2
        return (off_BM * open_TM[at]).sum() / open_TM[at].sum().clamp(min=1.0)

    net.learn(STEPS, loss_of)
    kept, times_M = net.kept()[0], 1.0 / np.maximum(lessons.cost_M, FREE)
    at = np.arange(len(states))[:: max(1, len(states) // 20_000)]
    value_BM = kept(states.inputs(at).numpy()) * times_M
    best_B = np.where(states.open()[at], value_BM, -np.inf).max(1)
    best_B = best_B[np.isfinite(best_B)]
    shares = np.linspace(0.02, 0.98, len(prices))
    limits = [float(np.quantile(best_B, share)) if len(best_B) else 0.0 for share in shares]
    return [Scored((kept,), times_M, limit) for limit in limits]
