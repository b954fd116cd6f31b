"""The Gumbel gate: after a first look it chooses one set of columns, learned through a relaxed
choice and a loss for resources (DynMM, Xue & Marculescu 2023, arXiv 2204.00102).
"""

from collections.abc import Sequence

import numpy as np
import torch

from modalloy.economy.arms.nets import AT_ONCE, Nets
from modalloy.economy.lessons import Lessons
from modalloy.policy.rules import Gate, Rule

NAME = "Gumbel gate"
STEPS = 160
WARM, COLD = 1.0, 0.3  # temperatures of the relaxed choice at the first and last step
FREE = 1e-3  # share of all cost up to which inputs are looked at first; else the cheapest one is


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """A gate for each price, all learned together.

    The choice is relaxed by Gumbel noise and made hard with the gradient passed straight through
    (Jang et al. 2017, arXiv 1611.01144). In the paper networks and gate learn together; here the
    networks stay as they are, and the gate learns on what each set is known to lose and cost.
    """
    draw = torch.Generator().manual_seed(seed)
    first_M = lessons.cost_M <= FREE
    if not first_M.any():
        first_M[lessons.cost_M.argmin()] = True
    bought_SM = lessons.bought_SM
    sets = np.flatnonzero((bought_SM | ~first_M).all(1))
    start_N = ((lessons.there_NM & first_M) @ lessons.bits_M).astype(np.int64)
    x_NF = torch.from_numpy(lessons.seen(start_N).inputs())
    risk_NK = torch.from_numpy(lessons.risk_SN[sets].T).float()
    cost_NK = (lessons.there_NM * lessons.cost_M) @ bought_SM[sets].T
    cost_NK = torch.from_numpy(cost_NK).float()
    price_P11 = torch.tensor(list(prices))[:, None, None]
    nets = Nets(lessons, len(prices), len(sets), draw)

    def loss_of(step: int) -> torch.Tensor:
        at = torch.randperm(len(x_NF), generator=draw)[:AT_ONCE]
        logits_PBK = nets(x_NF[at])
        heat = WARM + (COLD - WARM) * step / STEPS
        even = torch.rand(logits_PBK.shape, generator=draw).clamp(1e-6, 1.0 - 1e-6)
        soft_PBK = ((logits_PBK - torch.log(-torch.log(even))) / heat).softmax(-1)
        hard_PBK = torch.zeros_like(soft_PBK).scatter(-1, soft_PBK.argmax(-1, keepdim=True), 1.0)
        gate_PBK = hard_PBK + soft_PBK - soft_PBK.detach()
        lost_PBK = risk_NK[at] + price_P11 * cost_NK[at]
        return (gate_PBK * lost_PBK).sum(-1).mean(1).sum()

    nets.learn(STEPS, loss_of)
    return [Gate(net, first_M, bought_SM[sets]) for net in nets.kept()]
