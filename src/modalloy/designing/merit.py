"""How good designs are by a surrogate: objectives weighed into one number, constraints as a price.

Letters: S designs, each asked for in its own way; O outputs, K objectives, C ends of constraints.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.special import log_ndtr, ndtr

from modalloy.designing.margin import sides
from modalloy.designing.pareto import front
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.surrogates.surrogate import Predicted, linked

PENALTY = 10.0  # of a shortfall in deviations of the output, against one deviation of the objective
AUGMENTED = 0.05  # of the plain weighted sum, so that no design is as good as one that it beats
BEYOND = 0.1  # deviations by which the ideal is better than the best that is known
FAR = 1e6  # where a bound is that no value can reach


class Terms(NamedTuple):
    """A problem in the units of what a surrogate models.

    outputs_K, sign_K, scale_K, ideal_K: of objectives. sides: output, sign, bound and scale of
    every end of every constraint.
    """

    outputs_K: list[int]
    sign_K: torch.Tensor
    scale_K: torch.Tensor
    ideal_K: torch.Tensor
    sides: list[tuple[int, float, float, float]]


class Asked(NamedTuple):
    """What each of S designs is sought by.

    weight_SK: of objectives. margin_S: deviations that constraints are to be kept by; below 0 is
    hope. hope_S: deviations by which objectives are taken to be better than predicted.
    """

    weight_SK: torch.Tensor
    margin_S: torch.Tensor
    hope_S: torch.Tensor


def terms_of(problem: Problem, rows: Rows, log_O: np.ndarray) -> Terms:
    """The problem's terms; scales and ideals are those of rows that were run."""
    t_NO = linked(rows.y_NO, log_O)
    t_NO = np.where(np.isfinite(t_NO), t_NO, np.nan)
    scale_O = np.nanstd(t_NO, axis=0)
    scale_O = np.where(scale_O > 0, scale_O, 1.0)
    outputs_K = [problem.names.index(o.output) for o in problem.objectives]
    sign_K = np.array([o.sign for o in problem.objectives], dtype=np.float64)
    kept_N = problem.kept(rows.y_NO)
    f_NK = sign_K * t_NO[kept_N if kept_N.any() else slice(None)][:, outputs_K]
    ends = [
        (o, sign, float(np.clip(linked(np.asarray(end), log_O[o]), -FAR, FAR)), float(scale_O[o]))
        for o, sign, end in sides(problem.names, problem.constraints)
    ]
    as_tensor = torch.as_tensor
    scale_K = scale_O[outputs_K]
    ideal_K = np.nanmin(f_NK, axis=0) - BEYOND * scale_K
    return Terms(outputs_K, as_tensor(sign_K), as_tensor(scale_K), as_tensor(ideal_K), ends)


def with_ideal(terms: Terms, said: Predicted) -> Terms:
    """The terms with an ideal that is better than these designs, too, in each objective: weights
    spread designs over a front only where it lies beyond the ideal.
    """
    f_NK = terms.sign_K.numpy() * said.mean_NO[:, terms.outputs_K]
    least_K = torch.from_numpy(f_NK.min(0)) - BEYOND * terms.scale_K
    return terms._replace(ideal_K=torch.minimum(terms.ideal_K, least_K))


def objective_values(
    terms: Terms, mean_SO: torch.Tensor, deviation_SO: torch.Tensor, asked: Asked
) -> torch.Tensor:
    """Weighed objectives, (S,), to be minimised: the one, or the augmented Tchebycheff norm of
    several (Steuer & Choo 1983; Knowles 2006).
    """
    f_SK = terms.sign_K * mean_SO[:, terms.outputs_K]
    f_SK = f_SK - asked.hope_S[:, None] * deviation_SO[:, terms.outputs_K]
    f_SK = (f_SK - terms.ideal_K) / terms.scale_K
    if not terms.outputs_K:
        return mean_SO.new_zeros(len(mean_SO))
    if len(terms.outputs_K) == 1:
        return f_SK[:, 0]
    weighed_SK = asked.weight_SK * f_SK
    return weighed_SK.amax(1) + AUGMENTED * weighed_SK.sum(1)


def shortfalls(
    terms: Terms, mean_SO: torch.Tensor, deviation_SO: torch.Tensor, asked: Asked
) -> torch.Tensor:
    """By how much predictions, moved by the margin, miss each bound, in deviations of the output
    over rows, (S, C); below 0 where there is room.
    """
    found = [
        (sign * (mean_SO[:, o] - end) + asked.margin_S * deviation_SO[:, o]) / scale
        for o, sign, end, scale in terms.sides
    ]
    return torch.stack(found, 1) if found else mean_SO.new_full((len(mean_SO), 1), -1.0)


def expected_gain(terms: Terms, predicted: Predicted, best: float | None) -> np.ndarray:
    """The logarithm of expected improvement times the chance that all constraints are kept, (S,).

    best: the objective of the best kept run, in its modelled unit, to be minimised; None where
    there is none, and then only the chance counts (Gardner et al. 2014). One objective.
    """
    log_S = kept_chance(terms, predicted)
    if best is None:
        return log_S
    o, sign = terms.outputs_K[0], float(terms.sign_K[0])
    deviation_S = predicted.deviation_NO[:, o]
    z_S = (best - sign * predicted.mean_NO[:, o]) / deviation_S
    return log_S + np.log(deviation_S) + log_improvement(z_S)


def kept_chance(terms: Terms, predicted: Predicted) -> np.ndarray:
    """The logarithm of the chance that all constraints are kept, each by itself, (S,)."""
    log_S = np.zeros(len(predicted.mean_NO))
    for o, sign, end, _ in terms.sides:
        log_S += log_ndtr(sign * (end - predicted.mean_NO[:, o]) / predicted.deviation_NO[:, o])
    return log_S


def log_improvement(z_S: np.ndarray) -> np.ndarray:
    """log(phi(z) + z * Phi(z)), also where both nearly cancel (Ament et al. 2023, 2310.20708)."""
    density_S = np.exp(-0.5 * z_S**2) / np.sqrt(2.0 * np.pi)
    plain_S = np.log(np.maximum(density_S + z_S * ndtr(z_S), 1e-300))
    low_S = np.minimum(z_S, -6.0)
    far_S = -0.5 * low_S**2 - 0.5 * np.log(2.0 * np.pi) - 2.0 * np.log(-low_S)
    return np.where(z_S < -6.0, far_S, plain_S)


def best_kept(problem: Problem, rows: Rows, log_O: np.ndarray) -> float | None:
    """The first objective of the best run that keeps all constraints, as it is modelled."""
    kept_N = problem.kept(rows.y_NO)
    f_N = problem.sought(rows.y_NO, log_O)[:, 0]
    f_N = f_N[kept_N & np.isfinite(f_N)]
    return float(f_N.min()) if len(f_N) else None


def kept_front(problem: Problem, rows: Rows, log_O: np.ndarray) -> np.ndarray:
    """Objectives of the front of runs that keep all constraints, (F, K), as they are modelled."""
    f_NK = problem.sought(rows.y_NO[problem.kept(rows.y_NO)], log_O)
    return f_NK[front(f_NK)]
