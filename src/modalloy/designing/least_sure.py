"""Where a Gaussian process is least sure: the designs whose runs take away most of what it does not
know, over all of the space.

Letters: N rows, M candidates, R places that stand for the space, P both, D columns.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.spatial import KDTree

from modalloy.designing.surrogates.gaussian_process import Conditioned
from modalloy.designing.surrogates.kernel import covariance

NEAREST = 4  # rows whose errors say how far the process is wrong at a place
LEAST = 1e-9  # of a process's variance, which is never all known
FLOOR = 0.1  # of what the process itself says: no place is ever sure because its rows happen to be


class Unsure(NamedTuple):
    """What is not known of one output, in squares of its deviation over the rows.

    covariance_MP: of candidates with candidates and places. noise: variance of what two runs of one
    design differ by. weight_R: what counts at each place.
    """

    covariance_MP: torch.Tensor
    noise: float
    weight_R: torch.Tensor

    def gain(self) -> torch.Tensor:
        """What a run of each candidate takes away over all places, (M,)."""
        count = len(self.covariance_MP)
        shared_MR = self.covariance_MP[:, count:]
        own_M = self.covariance_MP.diagonal().clamp_min(0.0) + self.noise
        return (shared_MR**2) @ self.weight_R / own_M

    def after(self, pick: int) -> "Unsure":
        """The same given a run of one candidate, which needs no value of it."""
        row_P = self.covariance_MP[pick]
        own = max(float(row_P[pick]), 0.0) + self.noise
        column_M = self.covariance_MP[:, pick] / own
        return self._replace(covariance_MP=self.covariance_MP - torch.outer(column_M, row_P))


def least_sure(unsure: Sequence[Unsure], chance_M: torch.Tensor, count: int) -> list[int]:
    """The candidates to run, one after the other: each takes away most, given those before it.

    The mean of all outputs' variances over the space is what is lowered (Cohn 1996, *Neural
    Networks* 9; Sacks et al. 1989), each output in its own deviations. chance_M: that a candidate's
    run succeeds; a run that fails takes nothing away.
    """
    left_M = torch.ones(len(chance_M), dtype=torch.bool)
    picks: list[int] = []
    for _ in range(min(count, len(left_M))):
        gain_M = torch.stack([one.gain() for one in unsure]).sum(0) * chance_M
        pick = int(torch.where(left_M, gain_M, -1.0).argmax())
        picks.append(pick)
        left_M[pick] = False
        unsure = [one.after(pick) for one in unsure]
    return picks


def unsure_of(
    one: Conditioned, u_MD: torch.Tensor, place_RD: torch.Tensor, weight_R: torch.Tensor
) -> Unsure:
    """What a process does not know given its rows."""
    u_PD = torch.cat([u_MD, place_RD])
    known_PN = covariance(one.kernel, u_PD, one.x_ND) @ one.inverse_NN.T
    prior_MP = covariance(one.kernel, u_MD, u_PD)
    return Unsure(prior_MP - known_PN[: len(u_MD)] @ known_PN.T, one.kernel.noise, weight_R)


def left_of(one: Conditioned, place_RD: torch.Tensor) -> torch.Tensor:
    """What a process does not know of places, (R,), without what two runs there differ by."""
    known_RN = covariance(one.kernel, place_RD, one.x_ND) @ one.inverse_NN.T
    return (one.kernel.variance - (known_RN**2).sum(1)).clamp_min(LEAST * one.kernel.variance)


def wrong_by(one: Conditioned, place_RD: torch.Tensor) -> torch.Tensor:
    """By how much more a process is wrong at places than it says, (R,), as a ratio of variances.

    Its own variance follows from where rows are, not from what they say. The squared errors of the
    nearest rows, each left out and in deviations of what the process says of it, tell the two apart
    (Le Gratiet and Cannamela 2015, *Technometrics* 57). Near is by the process's own lengths.
    """
    precision_N = (one.inverse_NN**2).sum(0)
    square_N = one.alpha_N**2 / precision_N
    length_D = one.kernel.length_D
    tree = KDTree((one.x_ND / length_D).numpy())
    nearest = min(NEAREST, len(one.x_ND))
    _, rows = tree.query((place_RD / length_D).numpy(), k=range(1, nearest + 1))
    return square_N[torch.from_numpy(rows)].mean(1) + FLOOR
