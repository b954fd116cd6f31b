"""The next designs to run: the best that a margin certifies, or those that teach most of where the
best ones are.

Letters: B proposals, S starts, D columns, O outputs, K objectives.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from modalloy.designing.candidates import Box, moved, whole
from modalloy.designing.extrapolation import fit_reach
from modalloy.designing.margin import room
from modalloy.designing.merit import Asked, Terms, terms_of, with_ideal
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.search import Sought, pulled_inside, search
from modalloy.designing.starts import Purpose, by_fewer, first_starts, next_starts, ways
from modalloy.designing.surrogates.surrogate import Predicted, SmoothSurrogate, Surrogate
from modalloy.designing.worth import pick

STEPS = 40  # downhill, in each of two rounds
POLISH = 12  # further steps by all rows
AROUND = (1.5, 3.0, 6.0)  # how far proposals lie from what was found, in least distances
SAME = 1e-6  # designs nearer than this are one
DECIMALS = 6  # of a design's columns: what processors round otherwise ends in the same design


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
    again: bool = False,
) -> Proposals:
    """Up to `count` designs that can be made, that differ from each other and from all rows.

    margin: deviations by which a certified design keeps its constraints (see `fit_margin`).
    purpose: `certify` gives the best designs that the margin certifies, and fewer than asked where
    no more are; those that extrapolate come last. Several objectives are spread over the front by
    the hypervolume that each adds. `explore` gives designs to learn from: each is sought with its
    own hope, from bold to certified, and chosen by expected improvement times the chance that all
    constraints are kept, or by hoped-for hypervolume times that chance. box: where to look, such as
    a trust region. apart: least distance of two designs, as the root of the mean square of their
    columns' differences. again: a design may be one of the rows.
    """
    draw = np.random.default_rng(seed)
    box = whole(problem.space.size) if box is None else box
    terms = terms_of(problem, rows, surrogate.log_O)
    asked = ways(problem, 2 * count, margin, purpose, draw=draw)
    quick = by_fewer(problem, surrogate, rows, box, draw=draw)
    start_SD = first_starts(problem, quick, terms, rows, asked, box, draw=draw)
    found = search(problem, quick, terms, start_SD, asked, box, steps=STEPS, rate=0.05, draw=draw)
    terms = with_ideal(terms, quick.predict(found.u_SD))
    start_SD = next_starts(problem, quick, terms, found, asked, box, draw=draw)
    found = search(problem, quick, terms, start_SD, asked, box, steps=STEPS, rate=0.02, draw=draw)
    if quick is not surrogate:
        found = search(
            problem, surrogate, terms, found.u_SD, asked, box, steps=POLISH, rate=0.005, draw=draw
        )
    pool_ND = pool_of(problem, surrogate, terms, found, asked, apart, draw=draw)
    if again:
        pool_ND = np.concatenate([pool_ND, rows.u_ND])
    fit_N = np.ones(len(pool_ND), bool) if again else KDTree(rows.u_ND).query(pool_ND)[0] > SAME
    return choose(problem, surrogate, terms, rows, pool_ND, fit_N, count, margin, purpose, apart)


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
    return problem.repair(pool_ND.round(DECIMALS))


def choose(
    problem: Problem,
    surrogate: Surrogate,
    terms: Terms,
    rows: Rows,
    pool_ND: np.ndarray,
    fit_N: np.ndarray,
    count: int,
    margin: float,
    purpose: Purpose,
    apart: float,
) -> Proposals:
    """The designs of a pool that are worth most one after the other, each apart from those before.

    fit_N: which may be chosen, bool (N,).
    The log chance that constraints are kept is part of what `explore` counts.
    """
    said = surrogate.predict(pool_ND)
    room_N = room(said, problem.names, problem.constraints)
    beyond_N = fit_reach(rows.u_ND).extrapolates(pool_ND)
    certified_N = room_N >= margin
    if purpose == "certify":
        fit_N = fit_N & certified_N
    picked = partial(
        pick,
        problem,
        terms,
        rows,
        pool_ND,
        said,
        count=count,
        least=apart * float(np.sqrt(pool_ND.shape[1])),
        explore=purpose == "explore",
    )
    picks = picked(fit_N & ~beyond_N) if purpose == "certify" else []
    picks = picked(fit_N, before=picks)
    return Proposals(
        pool_ND[picks],
        said.rows(np.array(picks, dtype=int)),
        room_N[picks],
        certified_N[picks],
        beyond_N[picks],
    )
