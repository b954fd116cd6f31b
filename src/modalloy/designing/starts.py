"""Where searches for designs begin: what each one seeks, and the best candidates for it.

Letters: S starts, N candidates, D columns, K objectives.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from modalloy.designing.candidates import Box, moved, spread
from modalloy.designing.merit import PENALTY, Asked, Terms, objective_values, shortfalls
from modalloy.designing.pareto import ranks
from modalloy.designing.problem import Problem, Rows, shortfall
from modalloy.designing.search import Sought
from modalloy.designing.surrogates.gaussian_process import FEWEST, GaussianProcess
from modalloy.designing.surrogates.known import KnownToo
from modalloy.designing.surrogates.surrogate import SmoothSurrogate, Surrogate

Purpose = Literal["certify", "explore"]

FEWER = 500  # rows that most of a search looks at
SCREENED = 600  # candidates that starts are chosen from
SPARE = 0.02  # of a margin, and deviations, that searched designs keep beyond it
SMALL = 0.5  # mean side of a box that is searched by its nearest rows
BOLDEST = 2.0  # deviations by which objectives are hoped to be better
BEHIND = 1 << 30  # the rank of a run without an objective: behind all others


def ways(
    problem: Problem, count: int, margin: float, purpose: Purpose, *, draw: np.random.Generator
) -> Asked:
    """What each start seeks: its own weights of the objectives, and its own hope to `explore`."""
    weight_SK = draw.exponential(size=(count, len(problem.objectives)))
    weight_SK /= weight_SK.sum(1, keepdims=True).clip(1e-12)
    alone_KK = np.eye(len(problem.objectives))[:count]
    weight_SK[: len(alone_KK)] = alone_KK  # the ends of the front
    bold_S = np.linspace(0.0, 1.0, count) if purpose == "explore" else np.zeros(count)
    margin += SPARE * (1.0 + abs(margin))
    margin_S = margin - bold_S * (margin + 1.0)
    return Asked(*map(torch.from_numpy, (weight_SK, margin_S, BOLDEST * bold_S)))


def by_fewer(
    problem: Problem, surrogate: Surrogate, rows: Rows, box: Box, *, draw: np.random.Generator
) -> Surrogate:
    """A Gaussian process given 500 of its rows alone, which is much faster; others as they are.

    In a small box its nearest rows; else the best ones and as many drawn.
    """
    if isinstance(surrogate, KnownToo):
        inner = by_fewer(problem, surrogate.surrogate, rows, box, draw=draw)
        if isinstance(inner, SmoothSurrogate) and inner is not surrogate.surrogate:
            return replace(surrogate, surrogate=inner)
        return surrogate
    if not isinstance(surrogate, GaussianProcess) or len(rows.u_ND) <= FEWER:
        return surrogate
    if float((box.high_D - box.low_D).mean()) < SMALL:
        middle_D = (box.low_D + box.high_D) / 2.0
        order_N = np.argsort(((rows.u_ND - middle_D) ** 2).sum(1), kind="stable")
    else:
        order_N = best_first(problem, rows)
        order_N[FEWER // 2 :] = draw.permutation(order_N[FEWER // 2 :])
    some = np.sort(order_N[:FEWER])
    y_NO = rows.y_NO[some, : len(surrogate.outputs)]
    if (np.isfinite(y_NO).sum(0) < FEWEST).any():
        return surrogate
    return surrogate.given(rows.u_ND[some], y_NO)


def best_first(problem: Problem, rows: Rows) -> np.ndarray:
    """Rows by how little they miss the constraints, and among those that keep all by their front,
    (N,) int.
    """
    rank_N = ranks(problem.sought(rows.y_NO)) % BEHIND if problem.objectives else rows.y_NO[:, 0]
    return np.lexsort([rank_N, shortfall(problem, rows.y_NO)])


def first_starts(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    rows: Rows,
    asked: Asked,
    box: Box,
    *,
    draw: np.random.Generator,
) -> np.ndarray:
    """A start for each way: from all over the box, and from moves of the best rows."""
    count = len(asked.margin_S)
    good = best_first(problem, rows)[:count]
    good_GD = rows.u_ND[good]
    origin_ND = good_GD[draw.integers(0, len(good_GD), SCREENED // 2)]
    near_ND = moved(problem, origin_ND, box, step=0.1, draw=draw)
    wide_ND = spread(problem, box, SCREENED // 2, draw=draw)
    inside_ND = problem.repair(np.clip(good_GD, box.low_D, box.high_D))
    return best_for_each(
        surrogate, terms, np.concatenate([inside_ND, near_ND, wide_ND]), asked, draw
    )


def next_starts(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    found: Sought,
    asked: Asked,
    box: Box,
    *,
    draw: np.random.Generator,
) -> np.ndarray:
    """A start for each way: what was found for it, or a better move of anything found."""
    origin_ND = found.u_SD[draw.integers(0, len(found.u_SD), SCREENED // 2)]
    near_ND = moved(problem, origin_ND, box, step=0.05, draw=draw)
    pool_ND = np.concatenate([problem.repair(found.u_SD), near_ND])
    return best_for_each(surrogate, terms, pool_ND, asked, draw)


def best_for_each(
    surrogate: Surrogate,
    terms: Terms,
    pool_ND: np.ndarray,
    asked: Asked,
    draw: np.random.Generator,
) -> np.ndarray:
    """For each way the best of a quarter of the pool, drawn for it so that starts differ."""
    said = surrogate.predict(pool_ND)
    mean_NO, deviation_NO = torch.from_numpy(said.mean_NO), torch.from_numpy(said.deviation_NO)
    chosen = []
    for s in range(len(asked.margin_S)):
        some = torch.from_numpy(draw.permutation(len(pool_ND))[: max(len(pool_ND) // 4, 1)])
        way = Asked(*(part[s : s + 1].expand(len(some), *part.shape[1:]) for part in asked))
        value_S = objective_values(terms, mean_NO[some], deviation_NO[some], way)
        short_SC = shortfalls(terms, mean_NO[some], deviation_NO[some], way)
        loss_S = value_S + PENALTY * short_SC.clamp_min(0.0).sum(1)
        chosen.append(int(some[int(loss_S.argmin())]))
    return pool_ND[chosen]
