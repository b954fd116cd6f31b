"""Proposals keep what is asked, can be made, differ, and get better with what was learned."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import qmc

import cantilevers
from modalloy.designing.candidates import Box, moved, spread, whole
from modalloy.designing.margin import constraint_scores, fit_margin
from modalloy.designing.pareto import hypervolume
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.propose import propose
from modalloy.designing.starts import by_fewer
from modalloy.designing.surrogates.gaussian_process import GaussianProcess, fit_gaussian_process
from modalloy.designing.surrogates.known import KnownToo, with_known
from modalloy.designing.surrogates.surrogate import Predicted

ASKED = ("deflection <= 8 mm", "f1 >= 24 Hz")


class Known(NamedTuple):
    """A problem, its runs, what was learned of them, and how kindly runs were predicted."""

    problem: Problem
    rows: Rows
    process: GaussianProcess
    planned_N: np.ndarray
    verified_M: np.ndarray

    @property
    def margin(self) -> float:
        return fit_margin(self.planned_N, self.verified_M[-60:], confidence=0.95).deviations

    @property
    def lightest(self) -> float:
        return float(self.rows.y_NO[self.problem.kept(self.rows.y_NO), 0].min())

    def explored(self, count: int, seed: int) -> "Known":
        """The same after a batch of designs to learn from."""
        found = propose(
            self.problem,
            self.process,
            self.rows,
            count=count,
            margin=self.margin,
            seed=seed,
            purpose="explore",
        )
        y_BO = cantilevers.run(found.u_BD)
        more = zip(self.rows, (found.u_BD, y_BO), strict=True)
        rows = Rows(*(np.concatenate(both) for both in more))
        score_B = constraint_scores(
            found.predicted, y_BO, self.problem.names, self.problem.constraints
        )
        return self._replace(
            rows=rows,
            process=self.process.given(*rows),
            verified_M=np.r_[self.verified_M, score_B],
        )


def known(problem: Problem, count: int = 128) -> Known:
    u_ND = problem.repair(qmc.Sobol(problem.space.size, rng=0).random(count))
    rows = Rows(u_ND, cantilevers.run(u_ND))
    process = fit_gaussian_process(*rows, seed=0, attempts=2)
    planned_N = constraint_scores(
        process.leave_one_out(), rows.y_NO, problem.names, problem.constraints
    )
    return Known(problem, rows, process, planned_N, np.zeros(0))


@pytest.fixture(scope="module")
def plain() -> Known:
    return known(cantilevers.problem(*ASKED))


@pytest.fixture(scope="module")
def learned(plain: Known) -> Known:
    for seed in range(5):
        plain = plain.explored(30, seed)
    return plain


@pytest.fixture(scope="module")
def mixed() -> Known:
    return known(cantilevers.problem(*ASKED, mixed=True))


def test_exploring_finds_lighter_designs(plain: Known, learned: Known) -> None:
    assert learned.lightest < 0.7 * plain.lightest
    # Designs that an optimiser picks are predicted too kindly; the margin learns by how much.
    assert learned.verified_M[:30].mean() > plain.planned_N.mean()


def test_certified_designs_keep_their_constraints(plain: Known, learned: Known) -> None:
    margin = learned.margin
    found = propose(learned.problem, learned.process, learned.rows, count=20, margin=margin, seed=0)
    y_BO = cantilevers.run(found.u_BD)
    assert len(y_BO) == 20
    assert found.certified_B.all()
    assert (found.room_B >= margin).all()
    assert not found.extrapolates_B.any()
    assert learned.problem.kept(y_BO).mean() >= 0.95
    assert y_BO[0, 0] < 0.6 * plain.lightest
    assert (np.diff(found.predicted.median_NO[:, 0]) >= 0).all()  # best first
    apart_BB = np.sqrt(((found.u_BD[:, None] - found.u_BD) ** 2).mean(-1))
    assert apart_BB[np.triu_indices(20, 1)].min() > 0.02


def test_a_larger_margin_costs_weight_and_a_seed_gives_the_same(plain: Known) -> None:
    def best(margin: float, seed: int = 0) -> float:
        found = propose(plain.problem, plain.process, plain.rows, count=3, margin=margin, seed=seed)
        return float(found.predicted.median_NO[0, 0])

    assert best(0.0) < best(plain.margin) < best(3 * plain.margin)
    assert best(0.0) == best(0.0)
    assert best(0.0) != best(0.0, seed=1)


def test_exploring_mixes_bold_and_certified_designs_near_its_box(plain: Known) -> None:
    box = Box(np.full(16, 0.4), np.full(16, 0.6))
    found = propose(
        plain.problem,
        plain.process,
        plain.rows,
        count=20,
        margin=plain.margin,
        seed=0,
        purpose="explore",
        box=box,
        apart=0.004,
    )
    assert len(found.u_BD) == 20
    assert (np.abs(found.u_BD - 0.5) < 0.25).all()
    assert np.ptp(found.room_B) > 1.0


def test_mixed_designs_can_be_made_and_hold_what_is_fixed(mixed: Known) -> None:
    assert mixed.problem.continuous().tolist() == [True] * 8 + [False] * 10
    fixed_D = np.full(18, np.nan)
    fixed_D[16:] = 0.0, 1.0  # aluminium
    problem = mixed.problem._replace(fixed_D=fixed_D)
    for one in (mixed.problem, problem):
        found = propose(one, mixed.process, mixed.rows, count=5, margin=1.0, seed=0)
        assert len(found.u_BD) == 5
        np.testing.assert_array_equal(one.repair(found.u_BD), found.u_BD)
    assert (found.u_BD[:, 17] == 1.0).all()
    steel = problem._replace(fixed_D=np.r_[np.full(16, np.nan), 1.0, 0.0])
    found = propose(steel, mixed.process, mixed.rows, count=2, margin=1.0, seed=0)
    assert (found.u_BD[:, 16] == 1.0).all()


def test_two_objectives_are_spread_over_the_front() -> None:
    problem = cantilevers.problem(
        "f1 >= 10 Hz", seek=(("mass", "minimise"), ("deflection", "minimise"))
    )
    one = known(problem, 64)
    found = propose(problem, one.process, one.rows, count=8, margin=one.margin, seed=0)
    y_BO = cantilevers.run(found.u_BD)
    front, reference_K = one.rows.y_NO[problem.kept(one.rows.y_NO), :2], np.array([3.0, 60.0])
    both = np.concatenate([front, y_BO[:, :2]])
    assert hypervolume(both, reference_K) > 1.1 * hypervolume(front, reference_K)
    assert y_BO[:, 0].max() > 1.8 * y_BO[:, 0].min()
    assert y_BO[:, 1].max() > 4 * y_BO[:, 1].min()
    bold = propose(
        problem, one.process, one.rows, count=4, margin=one.margin, seed=0, purpose="explore"
    )
    assert len(bold.u_BD) == 4


def test_without_an_objective_or_a_constraint(plain: Known) -> None:
    anything = plain.problem._replace(objectives=())
    found = propose(anything, plain.process, plain.rows, count=4, margin=2.0, seed=0)
    assert len(found.u_BD) == 4
    assert (np.diff(found.room_B) < 0.5).all()
    free = plain.problem._replace(constraints=())
    found = propose(free, plain.process, plain.rows, count=4, margin=0.0, seed=0)
    assert np.isinf(found.room_B).all()
    assert found.extrapolates_B.all()  # corners of the space are far from all rows
    assert cantilevers.run(found.u_BD)[:, 0].max() < 0.7  # all tubes nearly as thin as can be


class Stairs:
    """A surrogate without slopes."""

    log_O = np.zeros(3, dtype=bool)

    def predict(self, u_ND: np.ndarray) -> Predicted:
        y_NO = np.floor(cantilevers.run(u_ND) * 50) / 50
        return Predicted(y_NO, np.full(y_NO.shape, 0.01), self.log_O)


def test_a_surrogate_without_slopes_is_searched_by_moves(plain: Known) -> None:
    found = propose(plain.problem, Stairs(), plain.rows, count=2, margin=1.0, seed=0)
    y_BO = cantilevers.run(found.u_BD)
    assert len(y_BO) == 2
    assert plain.problem.kept(y_BO).all()
    assert y_BO[:, 0].max() < 0.95 * plain.lightest


def test_nothing_is_proposed_that_cannot_be_certified(plain: Known) -> None:
    problem = cantilevers.problem("deflection <= 0.01 mm")
    found = propose(problem, plain.process, plain.rows, count=3, margin=2.0, seed=0)
    assert found.u_BD.shape == (0, 16)
    assert found.predicted.mean_NO.shape == (0, 3)
    tried = propose(
        problem, plain.process, plain.rows, count=3, margin=2.0, seed=0, purpose="explore"
    )
    assert len(tried.u_BD) == 3
    assert not tried.certified_B.any()


def test_most_of_a_search_looks_at_fewer_rows() -> None:
    u_ND = np.random.default_rng(0).random((700, 16))
    rows, problem = Rows(u_ND, cantilevers.run(u_ND)), cantilevers.problem("f1 >= 15 Hz")
    process = fit_gaussian_process(*rows, seed=0, attempts=1, rows=100, logs=[False, True, True])
    draw = np.random.default_rng(1)
    small = Box(np.zeros(16), np.full(16, 0.3))
    near = by_fewer(problem, process, rows, small, draw=draw)
    assert isinstance(near, GaussianProcess)
    distance = np.sqrt(((u_ND - 0.15) ** 2).sum(1))
    kept = np.sqrt(((near.outputs[0].x_ND.numpy() - 0.15) ** 2).sum(1))
    np.testing.assert_allclose(np.sort(kept), np.sort(distance)[:500])

    best = by_fewer(problem, process, rows, whole(16), draw=draw)
    assert isinstance(best, GaussianProcess)
    mass_N = rows.y_NO[problem.kept(rows.y_NO), 0]
    assert len(best.outputs[0].x_ND) == 500
    assert set(np.sort(mass_N)[:100]) <= set(best.outputs[0].t_N.numpy())

    both = with_known(process, lambda u_ND: u_ND[:, :1], 16)
    close = by_fewer(problem, both, rows, small, draw=draw)
    at_ND = torch.full((1, 16), 0.15, dtype=torch.float64)
    assert isinstance(close, KnownToo)
    assert float(close.posterior(at_ND)[0][0, 3]) == pytest.approx(0.15)
    few = Rows(u_ND[:100], rows.y_NO[:100])
    assert by_fewer(problem, both, few, small, draw=draw) is both


def test_candidates_stay_in_their_box_and_move_some_columns(mixed: Known) -> None:
    draw = np.random.default_rng(0)
    problem = cantilevers.problem(*ASKED)
    box = Box(np.full(16, 0.2), np.full(16, 0.4))
    wide_ND = spread(problem, box, 50, draw=draw)
    assert wide_ND.shape == (50, 16)
    assert ((wide_ND >= 0.2) & (wide_ND <= 0.4)).all()
    origin_ND = np.full((200, 16), 0.3)
    near_ND = moved(problem, origin_ND, box, step=0.1, draw=draw)
    assert ((near_ND >= 0.2) & (near_ND <= 0.4)).all()
    assert (near_ND != origin_ND).any(1).all()
    assert (near_ND - origin_ND).std() == pytest.approx(0.02, rel=0.1)
    metal_ND = mixed.problem.repair(np.full((400, 18), 0.5))
    other_ND = moved(mixed.problem, metal_ND, whole(18), step=0.1, draw=draw)
    changed = (other_ND[:, 16] != metal_ND[:, 16]).mean()
    assert changed == pytest.approx(0.075, abs=0.04)  # redrawn, and half of these as before
