"""The designs that a surrogate thinks best: many starts that go downhill together, or by moves
alone where a surrogate has no slopes."""

import math
from typing import NamedTuple

import numpy as np
import torch

from modalloy.designing.candidates import Box, moved
from modalloy.designing.merit import PENALTY, Asked, Terms, objective_values, shortfalls
from modalloy.designing.problem import Problem
from modalloy.designing.surrogates.surrogate import SmoothSurrogate, Surrogate

LAST = 0.02  # of the first step's length, that the last one has
EACH = 20  # moves of a design in a round without slopes


class Sought(NamedTuple):
    """Designs that were found, and what they were sought by.

    value_S: weighed objective. short_S: the worst constraint's shortfall, 0 where all are kept.
    """

    u_SD: np.ndarray
    value_S: np.ndarray
    short_S: np.ndarray


def search(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    start_SD: np.ndarray,
    asked: Asked,
    box: Box,
    *,
    steps: int,
    rate: float,
    draw: np.random.Generator,
) -> Sought:
    """From each start the best design that was met on the way.

    Better is a smaller shortfall of the constraints, and among designs without one a smaller
    objective. rate: length of the first step as a share of the box's side. Discrete columns stay
    as they start where the surrogate has slopes.
    """
    if isinstance(surrogate, SmoothSurrogate):
        return downhill(problem, surrogate, terms, start_SD, asked, box, steps=steps, rate=rate)
    return by_moves(
        problem, surrogate, terms, start_SD, asked, box, steps=steps, rate=rate, draw=draw
    )


def downhill(
    problem: Problem,
    surrogate: SmoothSurrogate,
    terms: Terms,
    start_SD: np.ndarray,
    asked: Asked,
    box: Box,
    *,
    steps: int,
    rate: float,
) -> Sought:
    """Adam on the objective and an exact penalty, inside the box; steps shrink by a cosine."""
    side_D = torch.from_numpy(np.where(problem.continuous(), box.high_D - box.low_D, 0.0))
    low_D, high_D = torch.from_numpy(box.low_D), torch.from_numpy(box.high_D)
    u_SD = torch.from_numpy(start_SD)
    free_D = side_D > 0
    u_SD = torch.where(free_D, torch.minimum(torch.maximum(u_SD, low_D), high_D), u_SD)
    nothing_S = np.full(len(start_SD), np.inf)
    best = Sought(start_SD, nothing_S, nothing_S)
    first_SD, second_SD = torch.zeros_like(u_SD), torch.zeros_like(u_SD)
    for step in range(steps + 1):
        u_SD = u_SD.detach().requires_grad_()
        mean_SO, deviation_SO = surrogate.posterior(u_SD)
        value_S = objective_values(terms, mean_SO, deviation_SO, asked)
        short_SC = shortfalls(terms, mean_SO, deviation_SO, asked)
        worst_S = short_SC.detach().amax(1).clamp_min(0.0)
        now = Sought(u_SD.detach().numpy(), value_S.detach().numpy(), worst_S.numpy())
        best = merged(best, now)
        if step == steps:
            break
        loss = (value_S + PENALTY * short_SC.clamp_min(0.0).sum(1)).sum() + 0.0 * u_SD.sum()
        (slope_SD,) = torch.autograd.grad(loss, u_SD)
        first_SD = 0.8 * first_SD + 0.2 * slope_SD
        second_SD = 0.95 * second_SD + 0.05 * slope_SD**2
        ahead_SD = first_SD / (1.0 - 0.8 ** (step + 1))
        size_SD = (second_SD / (1.0 - 0.95 ** (step + 1))).sqrt() + 1e-12
        length = rate * (LAST + (1.0 - LAST) * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        moved_SD = u_SD.detach() - length * side_D * ahead_SD / size_SD
        inside_SD = torch.minimum(torch.maximum(moved_SD, low_D), high_D)
        u_SD = torch.where(free_D, inside_SD, u_SD.detach())
    return best


def pulled_inside(
    problem: Problem,
    surrogate: SmoothSurrogate,
    terms: Terms,
    u_ND: np.ndarray,
    margin_N: np.ndarray,
    *,
    steps: int = 3,
) -> np.ndarray:
    """Designs moved by Newton steps to where the worst constraint is just kept by their margin.

    Only designs that miss it move, and only in continuous columns.
    """
    if not terms.sides:
        return u_ND
    free_D = torch.from_numpy(problem.continuous().astype(np.float64))
    count = len(u_ND)
    asked = Asked(
        torch.ones((count, len(terms.outputs_K)), dtype=torch.float64),
        torch.from_numpy(margin_N.copy()),
        torch.zeros(count, dtype=torch.float64),
    )
    now_ND = torch.from_numpy(u_ND)
    for _ in range(steps):
        now_ND = now_ND.detach().requires_grad_()
        short_N = shortfalls(terms, *surrogate.posterior(now_ND), asked).amax(1)
        (slope_ND,) = torch.autograd.grad(short_N.sum(), now_ND)
        # At a bound of the space there is no way on.
        stuck_ND = ((now_ND <= 0.0) & (slope_ND > 0)) | ((now_ND >= 1.0) & (slope_ND < 0))
        slope_ND = torch.where(stuck_ND, 0.0, slope_ND * free_D)
        square_N = (slope_ND**2).sum(1).clamp_min(1e-12)
        length_N = short_N.detach().clamp_min(0.0) / square_N
        now_ND = (now_ND.detach() - length_N[:, None] * slope_ND).clamp(0.0, 1.0)
    return now_ND.numpy()


def by_moves(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    start_SD: np.ndarray,
    asked: Asked,
    box: Box,
    *,
    steps: int,
    rate: float,
    draw: np.random.Generator,
) -> Sought:
    """Each design tries moves that shrink from round to round, and keeps the best of them."""
    best = judged(surrogate, terms, start_SD, asked)
    many = Asked(*(part.repeat_interleave(EACH, 0) for part in asked))
    for step in range(steps):
        length = rate * (LAST + (1.0 - LAST) * (1.0 - step / steps))
        origin_ND = np.repeat(best.u_SD, EACH, axis=0)
        tried_ND = moved(problem, origin_ND, box, step=length, draw=draw)
        new = judged(surrogate, terms, tried_ND, many)
        for i in range(EACH):
            best = merged(best, Sought(*(part[i::EACH] for part in new)))
    return best


def judged(surrogate: Surrogate, terms: Terms, u_SD: np.ndarray, asked: Asked) -> Sought:
    """Designs with what they are worth."""
    said = surrogate.predict(u_SD)
    mean_SO, deviation_SO = torch.from_numpy(said.mean_NO), torch.from_numpy(said.deviation_NO)
    value_S = objective_values(terms, mean_SO, deviation_SO, asked).numpy()
    short_SC = shortfalls(terms, mean_SO, deviation_SO, asked).numpy()
    return Sought(u_SD, value_S, np.maximum(short_SC.max(1), 0.0))


def merged(best: Sought, now: Sought) -> Sought:
    """Start by start the smaller shortfall, and of equal ones the smaller objective."""
    same_S = now.short_S == best.short_S
    won_S = (now.short_S < best.short_S) | (same_S & (now.value_S < best.value_S))
    return Sought(
        np.where(won_S[:, None], now.u_SD, best.u_SD),
        np.where(won_S, now.value_S, best.value_S),
        np.where(won_S, now.short_S, best.short_S),
    )
