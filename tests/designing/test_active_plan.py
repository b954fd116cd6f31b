"""Runs chosen by what those before them told: against as many by Sobol, on functions whose values
are known."""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modalloy.designing import active
from modalloy.designing.active import ActivePlan
from modalloy.designing.problem import Rows
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.twin.asked import Choosing
from modalloy.twin.plans import plan
from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space
from modalloy.twin.variables import Continuous, Integer

Function = Callable[[np.ndarray], np.ndarray]  # designs in, one output out, NaN where a run fails

SQUARE = Space({name: Continuous(low=0, high=1) for name in ("x", "y")})
SEEDS = range(3)


def ridge(u_ND: np.ndarray) -> np.ndarray:
    """A slope with one narrow hill."""
    return np.exp(-((u_ND - [0.7, 0.3]) ** 2).sum(1) / (2 * 0.12**2)) + 0.3 * u_ND[:, 0]


def cornered(u_ND: np.ndarray) -> np.ndarray:
    """Waves with a hill; in a corner of three tenths of the space no run succeeds."""
    waves_N = np.sin(5 * u_ND[:, 0]) * np.cos(4 * u_ND[:, 1])
    hill_N = np.exp(-((u_ND - [0.3, 0.6]) ** 2).sum(1) / (2 * 0.1**2))
    return np.where((u_ND > [0.55, 0.35]).all(1), np.nan, waves_N + hill_N)


def planned(seed: int = 0, count: int = 64, space: Space = SQUARE, **changes: Any) -> ActivePlan:
    """A quarter of the runs by Sobol, the others in batches of an eighth."""
    choosing = Choosing(count // 4, count // 8, about=("told",))._replace(**changes)
    return ActivePlan(space, choosing, count, seed)


def ran(told: ActivePlan, function: Function) -> Rows:
    """All runs of a plan."""
    u_ND = plan(told.space, told.choosing.first, kind="sobol", seed=told.seed)
    designs, outcomes = told.space.decode(u_ND), outcomes_of(function(u_ND))
    for count in told.sizes:
        u_ND = told.chosen(designs, outcomes, count)
        assert u_ND.shape == (count, told.space.size)
        designs += told.space.decode(u_ND)
        outcomes += outcomes_of(function(u_ND))
    return told.rows(designs, outcomes)


@functools.cache
def chosen_rows(function: Function, seed: int) -> Rows:
    """All runs of a plan of 64."""
    return ran(planned(seed), function)


def outcomes_of(y_N: np.ndarray) -> list[Outcome]:
    """Runs that told a value, and runs that failed."""
    return [
        Outcome(0, "ok" if ok else "failed", "", {"told": float(y)} if ok else {}, 0.0, 0, 1)
        for y, ok in zip(y_N, np.isfinite(y_N), strict=True)
    ]


def by_sobol(function: Function, *, count: int = 64, seed: int = 0) -> Rows:
    """As many runs by Sobol alone."""
    u_ND = plan(SQUARE, count, kind="sobol", seed=seed)
    return Rows(u_ND, function(u_ND)[:, None])


def error(rows: Rows, function: Function) -> float:
    """How far a surrogate of rows is off on fresh ones, as a share of their spread."""
    good_N = np.isfinite(rows.y_NO[:, 0])
    process = fit_gaussian_process(rows.u_ND[good_N], rows.y_NO[good_N], seed=0)
    fresh_ND = np.random.default_rng(99).random((1000, 2))
    y_N = function(fresh_ND)
    off_N = process.predict(fresh_ND).median_NO[:, 0] - y_N
    return float(np.sqrt(np.nanmean(off_N**2)) / np.nanstd(y_N))


@pytest.mark.parametrize("function", [ridge, cornered])
def test_chosen_runs_teach_more_than_as_many_spread_ones(function: Function) -> None:
    """A third and a half of the error, as means of three seeds."""
    chosen = [error(chosen_rows(function, seed), function) for seed in SEEDS]
    spread = [error(by_sobol(function, seed=seed), function) for seed in SEEDS]
    assert np.mean(chosen) < 0.6 * np.mean(spread)


def test_runs_that_fail_are_learned() -> None:
    """Fewer of the chosen runs fail than of those by Sobol."""
    rows = chosen_rows(cornered, 0)
    failed_N = np.isnan(rows.y_NO[:, 0])
    assert failed_N[:16].mean() > 0.2
    assert failed_N[16:].mean() < 0.7 * failed_N[:16].mean()


@pytest.mark.parametrize(("option", "seed"), [("minimise", 0), ("minimise", 1), ("maximise", 2)])
def test_runs_that_promise_most_find_more_than_as_many_spread_ones(option: str, seed: int) -> None:
    sign = 1.0 if option == "minimise" else -1.0

    def valley(u_ND: np.ndarray) -> np.ndarray:
        """0 at best; runs beside it fail."""
        far_N = np.sqrt(((u_ND - [0.83, 0.21]) ** 2).sum(1))
        return np.where(u_ND[:, 1] < 0.15, np.nan, sign * far_N)

    told = planned(seed, 24, about=(), **{option: ("told",)})
    found = np.nanmin(sign * ran(told, valley).y_NO)
    spread = np.nanmin(sign * by_sobol(valley, count=24, seed=seed).y_NO)
    assert found < 0.5 * spread


def test_two_objectives_find_runs_on_both_ends_of_their_front() -> None:
    told = planned(0, 24, about=(), minimise=("far", "near"))

    def outcomes(u_ND: np.ndarray) -> list[Outcome]:
        far_N, near_N = (((u_ND - [x, 0.5]) ** 2).sum(1) for x in (0.2, 0.8))
        pairs = zip(far_N.tolist(), near_N.tolist(), strict=True)
        return [Outcome(0, "ok", "", {"far": a, "near": b}, 0.0, 0, 1) for a, b in pairs]

    u_ND = plan(SQUARE, 6, kind="sobol", seed=0)
    for count in told.sizes:
        done = SQUARE.decode(u_ND), outcomes(u_ND)
        u_ND = np.concatenate([u_ND, told.chosen(*done, count)])
    chosen_ND = u_ND[6:]
    between_N = (chosen_ND[:, 0] > 0.15) & (chosen_ND[:, 0] < 0.85)
    assert (between_N & (np.abs(chosen_ND[:, 1] - 0.5) < 0.15)).mean() > 0.5
    assert chosen_ND[:, 0].min() < 0.35
    assert chosen_ND[:, 0].max() > 0.65


def test_while_nothing_can_be_learned_the_sobol_sequence_goes_on() -> None:
    rows = ran(planned(5, 16), lambda u_ND: np.full(len(u_ND), np.nan))
    np.testing.assert_allclose(rows.u_ND, plan(SQUARE, 16, kind="sobol", seed=5))
    told = planned(5, 16)
    known = told.known(SQUARE.decode(rows.u_ND), outcomes_of(rows.y_NO[:, 0]))
    assert known == {"surrogate": None, "rows": 0, "scores": {}}


def test_designs_that_can_be_made_and_no_more_of_them_than_there_are() -> None:
    """Nine designs in all: once they are known, the sequence goes on."""
    nine = Space({name: Integer(low=1, high=3) for name in ("x", "y")})
    rows = ran(planned(0, 24, nine, about=(), minimise=("told",)), lambda u_ND: u_ND.sum(1))
    np.testing.assert_array_equal(rows.u_ND, nine.repair(rows.u_ND))
    assert len(rows.u_ND) == 24
    assert len(np.unique(rows.u_ND, axis=0)) == 9


def test_many_first_runs_let_an_ensemble_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first runs say what foretells better, once; then it counts where members disagree, behind
    the wall rather than on the wide plain before it."""
    asked: list[int] = []

    def compared(rows: Rows, *, kind: None, fitted: int, seed: int) -> SimpleNamespace:
        assert kind is None
        asked.append(len(rows.u_ND))
        return SimpleNamespace(kind="deep ensemble")

    def wall(u_ND: np.ndarray) -> np.ndarray:
        return np.where(u_ND[:, 0] > 0.7, 1.0, 0.0)

    monkeypatch.setattr(active, "fit_surrogate", compared)
    told = planned(0, 148, first=132, batch=8)
    u_ND = plan(SQUARE, 140, kind="sobol", seed=0)
    designs, outcomes = SQUARE.decode(u_ND), outcomes_of(wall(u_ND))
    chosen_ND = told.chosen(designs, outcomes, 8)
    assert (chosen_ND[:, 0] > 0.5).all()
    np.testing.assert_array_equal(told.chosen(designs, outcomes, 8), chosen_ND)
    assert asked == [132]
