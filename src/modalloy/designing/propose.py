"""The next designs to run: the best that a margin certifies, or those that teach most of where the
best ones are.

Letters: B proposals, S starts, D columns, O outputs, K objectives.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree

from modalloy.designing.candidates import Box, moved, spread, whole
from modalloy.designing.extrapolation import fit_reach
from modalloy.designing.margin import room
from modalloy.designing.merit import (
    PENALTY,
    Asked,
    Terms,
    objective_values,
    shortfalls,
    terms_of,
    with_ideal,
)
from modalloy.designing.pareto import ranks
from modalloy.designing.problem import Problem, Rows, shortfall
from modalloy.designing.search import Sought, pulled_inside, search
from modalloy.designing.surrogates.gaussian_process import FEWEST, GaussianProcess
from modalloy.designing.surrogates.known import KnownToo
from modalloy.designing.surrogates.surrogate import Predicted, SmoothSurrogate, Surrogate
from modalloy.designing.worth import pick

Purpose = Literal["certify", "explore"]

NEAR = 500  # rows that a search in a small box looks at
SCREENED = 600  # candidates that starts are chosen from
STEPS = 40  # downhill, in each of two rounds
POLISH = 12  # further steps by all rows
AROUND = (1.5, 3.0, 6.0)  # how far proposals lie from what was found, in least distances
SMALL = 0.5  # mean side of a box that is searched by the nearest rows
BOLDEST = 2.0  # deviations by which objectives are hoped to be better
BEHIND = 1 << 30  # the rank of a run without an objective: behind all others
SAME = 1e-6  # designs nearer than this are one
SPARE = 0.02  # of a margin, and deviations, that searched designs keep beyond it


class Proposals(NamedTuple):
    """Designs to run, best first.

    predicted: what the surrogate says of them. room_B: deviations that each lies inside its
    tightest bound. certified_B: whether that is the margin. extrapolates_B: whether it lies
    farther from the rows than they do from one another.
    """

    u_BD: np.ndarray
    predicted: Predicted
    room_B: np.ndarray
    certified_B: np.ndarray
    extrapolates_B: np.ndarray


def propose(
    problem: Problem,
    surrogate: Surrogate,
    rows: Rows,
    *,
    count: int,
    margin: float,
    seed: int,
    purpose: Purpose = "certify",
    box: Box | None = None,
    apart: float = 0.02,
) -> Proposals:
    """Up to `count` designs that can be made, that differ from each other and from all rows.

    margin: deviations by which a certified design keeps its constraints (see `fit_margin`).
    purpose: `certify` gives the best designs that the margin certifies inside the rows' reach, and
    fewer than asked where no more are; several objectives are spread over the front by the
    hypervolume that each adds. `explore` gives designs to learn from: each is sought with its own
    hope, from bold to certified, and chosen by expected improvement times the chance that all
    constraints are kept, or by hoped-for hypervolume times that chance. box: where to look, such as
    a trust region. apart: least distance of two designs, as the root of the mean square of their
    columns' differences.
    """
    draw = np.random.default_rng(seed)
    box = whole(problem.space.size) if box is None else box
    terms = terms_of(problem, rows, surrogate.log_O)
    asked = ways(problem, 2 * count, margin, purpose, draw=draw)
    near = nearest(surrogate, rows, box)
    start_SD = first_starts(problem, near, terms, rows, asked, box, draw=draw)
    found = search(problem, near, terms, start_SD, asked, box, steps=STEPS, rate=0.05, draw=draw)
    terms = with_ideal(terms, near.predict(found.u_SD))
    start_SD = next_starts(problem, near, terms, found, asked, box, draw=draw)
    found = search(problem, near, terms, start_SD, asked, box, steps=STEPS, rate=0.02, draw=draw)
    if near is not surrogate:
        found = search(
            problem, surrogate, terms, found.u_SD, asked, box, steps=POLISH, rate=0.005, draw=draw
        )
    pool_ND = pool_of(problem, surrogate, terms, found, asked, apart, draw=draw)
    return choose(problem, surrogate, terms, rows, pool_ND, count, margin, purpose, apart)


def pool_of(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    found: Sought,
    asked: Asked,
    apart: float,
    *,
    draw: np.random.Generator,
) -> np.ndarray:
    """What was found, and designs around it that are apart, of which proposals are chosen."""
    everywhere = whole(problem.space.size)
    near = [
        moved(problem, found.u_SD, everywhere, step=times * apart, draw=draw) for times in AROUND
    ]
    pool_ND = problem.repair(np.concatenate([found.u_SD, *near]))
    if isinstance(surrogate, SmoothSurrogate):
        margin_N = asked.margin_S.repeat(1 + len(AROUND)).numpy()
        pool_ND = problem.repair(pulled_inside(problem, surrogate, terms, pool_ND, margin_N))
    return pool_ND


def ways(
    problem: Problem, count: int, margin: float, purpose: Purpose, *, draw: np.random.Generator
) -> Asked:
    """What each start seeks: its own weights of the objectives, and its own hope to `explore`."""
    weight_SK = draw.dirichlet(np.ones(len(problem.objectives)), count)
    alone_KK = np.eye(len(problem.objectives))[:count]
    weight_SK[: len(alone_KK)] = alone_KK  # the ends of the front
    bold_S = np.linspace(0.0, 1.0, count) if purpose == "explore" else np.zeros(count)
    margin += SPARE * (1.0 + abs(margin))
    margin_S = margin - bold_S * (margin + 1.0)
    return Asked(*map(torch.from_numpy, (weight_SK, margin_S, BOLDEST * bold_S)))


def nearest(surrogate: Surrogate, rows: Rows, box: Box) -> Surrogate:
    """The surrogate given the rows nearest to a small box alone, which is much faster; else as it
    is.
    """
    if isinstance(surrogate, KnownToo):
        inner = nearest(surrogate.surrogate, rows, box)
        own = surrogate.surrogate
        return surrogate if inner is own else replace(surrogate, surrogate=inner)
    small = float((box.high_D - box.low_D).mean()) < SMALL
    if not small or not isinstance(surrogate, GaussianProcess) or len(rows.u_ND) <= NEAR:
        return surrogate
    middle_D = (box.low_D + box.high_D) / 2.0
    distance_N = ((rows.u_ND - middle_D) ** 2).sum(1)
    some = np.sort(np.argsort(distance_N, kind="stable")[:NEAR])
    y_NO = rows.y_NO[some, : len(surrogate.outputs)]
    if (np.isfinite(y_NO).sum(0) < FEWEST).any():
        return surrogate
    return surrogate.given(rows.u_ND[some], y_NO)


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
    order_N = np.lexsort([ranks(problem.sought(rows.y_NO)) % BEHIND, shortfall(problem, rows.y_NO)])
    good = order_N[:count]
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


def choose(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    rows: Rows,
    pool_ND: np.ndarray,
    count: int,
    margin: float,
    purpose: Purpose,
    apart: float,
) -> Proposals:
    """The designs of a pool that are worth most one after the other, each apart from those before.

    The log chance that constraints are kept is part of what `explore` counts.
    """
    said = surrogate.predict(pool_ND)
    room_N = room(said, problem.names, problem.constraints)
    beyond_N = fit_reach(rows.u_ND).extrapolates(pool_ND)
    certified_N = room_N >= margin
    fit_N = cKDTree(rows.u_ND).query(pool_ND)[0] > SAME
    if purpose == "certify":
        fit_N &= certified_N & ~beyond_N
    picks = pick(
        problem,
        terms,
        rows,
        pool_ND,
        said,
        fit_N,
        count=count,
        least=apart * float(np.sqrt(pool_ND.shape[1])),
        explore=purpose == "explore",
    )
    return Proposals(
        pool_ND[picks],
        said.rows(np.array(picks, dtype=int)),
        room_N[picks],
        certified_N[picks],
        beyond_N[picks],
    )
