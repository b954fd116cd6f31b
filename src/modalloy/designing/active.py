"""An active plan of runs: batch after batch, where a surrogate of the runs so far is least sure, or
where it promises most.

Letters: N runs, M candidates, D columns, O outputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from modalloy.designing.active_asked import AT_ONCE
from modalloy.designing.candidates import spread, whole
from modalloy.designing.choose import FEWEST as FEWEST_ENSEMBLE
from modalloy.designing.choose import MOST, Kind, score_of
from modalloy.designing.constraints import Constraint, Objective
from modalloy.designing.learned import APART, RUNS, with_success
from modalloy.designing.least_sure import least_sure, left_of, unsure_of, wrong_by
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.propose import propose
from modalloy.designing.stand_in import fit_surrogate
from modalloy.designing.surrogates.deep_ensemble import fit_deep_ensemble
from modalloy.designing.surrogates.gaussian_process import (
    FEWEST,
    GaussianProcess,
    fit_gaussian_process,
)
from modalloy.designing.surrogates.surrogate import SmoothSurrogate
from modalloy.twin.asked import Asked, Choosing
from modalloy.twin.plans import plan
from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space
from modalloy.twin.tasks import checked, open_space
from modalloy.twin.twin import Twin

CANDIDATES, PLACES = 2 * AT_ONCE, 512
CHOOSES, FITS = 4, 5  # what a generator is for
SUCCESS = Constraint(RUNS, 0.5, np.inf, None, RUNS)


@dataclass
class ActivePlan:
    """Chooses the runs of an active plan. space: of the variables that are chosen. count: runs in
    all. Every batch follows from the runs before it and the seed alone."""

    space: Space
    choosing: Choosing
    count: int
    seed: int
    _kind: Kind | None = field(default=None, init=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is learned: what should be small or large, else what the plan is about."""
        return (*self.choosing.minimise, *self.choosing.maximise) or self.choosing.about

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What should be small or large."""
        small = [Objective(name, "minimise") for name in self.choosing.minimise]
        return (*small, *(Objective(name, "maximise") for name in self.choosing.maximise))

    @property
    def sizes(self) -> list[int]:
        """Runs of each batch after the first runs; the last one has what is left."""
        left, batch = self.count - self.choosing.first, self.choosing.batch
        return [min(batch, left - done) for done in range(0, left, batch)]

    def chosen(
        self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], count: int
    ) -> np.ndarray:
        """u_ND of the next runs. While too few have succeeded to learn from, the Sobol sequence of
        the first runs goes on."""
        rows = self.rows(designs, outcomes)
        more_ND = plan(self.space, len(designs) + count, kind="sobol", seed=self.seed)[-count:]
        if succeeded(rows).sum() < FEWEST:
            return more_ND
        with one_thread():
            u_ND = self.promising(rows, count) if self.objectives else self.unsure(rows, count)
        return np.concatenate([u_ND, more_ND[len(u_ND) :]])

    def known(
        self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]
    ) -> dict[str, Any]:
        """How well each run that succeeded is foretold from all others: R2, and the root of the
        mean square error in the output's unit."""
        rows = self.rows(designs, outcomes)
        good = taken(rows, succeeded(rows))
        fitted = len(good.u_ND)
        if fitted < FEWEST:
            return {"surrogate": None, "rows": fitted, "scores": {}}
        with one_thread():
            kind, seed = self.kind(rows), self.seed_of(FITS, self.count)
            found = fit_surrogate(good, kind=kind, fitted=min(fitted, MOST), seed=seed)
        score = score_of(kind, found.left_out, good.y_NO)
        return {
            "surrogate": kind,
            "rows": fitted,
            "scores": {
                name: {"r2": finite(score.r2_O[o]), "rmse": finite(score.rmse_O[o])}
                for o, name in enumerate(self.outputs)
            },
        }

    def rows(self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> Rows:
        """Runs as arrays; NaN where one did not succeed."""
        y_NO = np.full((len(outcomes), len(self.outputs)), np.nan)
        for i, outcome in enumerate(outcomes):
            if outcome.status == "ok":
                y_NO[i] = [float(outcome.outputs[name]) for name in self.outputs]
        return Rows(self.space.encode(designs), y_NO)

    def unsure(self, rows: Rows, count: int) -> np.ndarray:
        """u_ND of the designs whose runs take away most of what is not known."""
        seed, draw = self.seed_of(FITS, len(rows.u_ND)), self.draw(len(rows.u_ND))
        problem = Problem(self.space, self.outputs, (), ())
        u_MD = spread(problem, whole(self.space.size), CANDIDATES, draw=draw)
        place_RD = spread(problem, whole(self.space.size), PLACES, draw=draw)
        chance_M, chance_R = (
            torch.from_numpy(chance) for chance in chances(rows, [u_MD, place_RD], seed=seed)
        )
        good = taken(rows, succeeded(rows))
        some = taken(good, draw.permutation(len(good.u_ND))[:MOST])
        process = fit_gaussian_process(*some, seed=seed)
        ratio_RO = self.ratios(process, rows, place_RD, seed=seed)
        candidates_MD, places_RD = torch.from_numpy(u_MD), torch.from_numpy(place_RD)
        with torch.no_grad():
            unsure = [
                unsure_of(one, candidates_MD, places_RD, chance_R * ratio_RO[:, o])
                for o, one in enumerate(process.outputs)
            ]
            return u_MD[least_sure(unsure, chance_M, count)]

    def ratios(
        self, process: GaussianProcess, rows: Rows, place_RD: np.ndarray, *, seed: int
    ) -> torch.Tensor:
        """By how much more is not known at places than the process says, (R, O), as a ratio of
        variances."""
        places_RD = torch.from_numpy(place_RD)
        if self.kind(rows) == "gaussian process":
            return torch.stack([wrong_by(one, places_RD) for one in process.outputs], 1)
        good = taken(rows, succeeded(rows))
        ensemble = fit_deep_ensemble(*good, seed=seed, logs=process.log_O)
        with torch.no_grad():
            said_RO = torch.stack([left_of(one, places_RD) for one in process.outputs], 1)
        scale_O = torch.tensor([one.scale for one in process.outputs], dtype=torch.float64)
        return (ensemble.disagreement(places_RD) / scale_O) ** 2 / said_RO

    def promising(self, rows: Rows, count: int) -> np.ndarray:
        """u_ND of designs by expected improvement, or by hoped-for hypervolume of several
        objectives, times the chance that the run succeeds; fewer where no more are new."""
        problem = Problem(self.space, self.outputs, (), self.objectives)
        kind, seed = self.kind(rows), self.seed_of(FITS, len(rows.u_ND))
        if not succeeded(rows).all():
            rows = Rows(rows.u_ND, with_success(rows.y_NO, len(self.outputs)))
            problem = problem._replace(names=(*self.outputs, RUNS), constraints=(SUCCESS,))
        some = rows if kind == "gaussian process" else taken(rows, slice(MOST))
        process = fit_gaussian_process(*some, seed=seed)
        surrogate: SmoothSurrogate = process
        if kind == "deep ensemble":
            surrogate = fit_deep_ensemble(*rows, seed=seed, logs=process.log_O)
        found = propose(
            problem, surrogate, rows, count=count, margin=0.0, seed=seed, purpose="explore",
            apart=APART,
        )  # fmt: skip
        return found.u_BD

    def kind(self, rows: Rows) -> Kind:
        """What stands in for the simulator: whichever foretells the first runs better, the ensemble
        of more rows than a process can bear."""
        if succeeded(rows).sum() > MOST:
            return "deep ensemble"
        if self._kind is None:
            first = taken(rows, slice(self.choosing.first))
            first = taken(first, succeeded(first))
            self._kind, fitted = "gaussian process", len(first.u_ND)
            if fitted >= FEWEST_ENSEMBLE:
                better = fit_surrogate(first, kind=None, fitted=fitted, seed=self.seed).kind
                self._kind = "deep ensemble" if better == "deep ensemble" else self._kind
        return self._kind

    def seed_of(self, what: int, run: int) -> int:
        """A seed for one purpose before a run."""
        return int(np.random.SeedSequence([self.seed, what, run]).generate_state(1)[0])

    def draw(self, run: int) -> np.random.Generator:
        """What candidates are drawn by before a run."""
        return np.random.default_rng([self.seed, CHOOSES, run])


def active_plan(twin: Twin, asked: Asked) -> ActivePlan:
    """Of what is asked of a twin, over the variables that are not fixed."""
    assert asked.choosing is not None
    space = open_space(twin, checked(twin, asked.fixed, "set: "))
    return ActivePlan(space, asked.choosing, asked.count, asked.seed)


def chances(rows: Rows, u_MD: Sequence[np.ndarray], *, seed: int) -> list[np.ndarray]:
    """The chance that a run of each of some designs succeeds, by a process of 1 and 0."""
    good_N = succeeded(rows)
    if good_N.all():
        return [np.ones(len(one)) for one in u_MD]
    order = np.random.default_rng(seed).permutation(len(good_N))[:MOST]
    ran_N1 = good_N[order, None].astype(np.float64)
    process = fit_gaussian_process(rows.u_ND[order], ran_N1, seed=seed)
    half = np.array([[0.5]])
    return [1.0 - process.predict(one).chance_below(half)[:, 0] for one in u_MD]


def succeeded(rows: Rows) -> np.ndarray:
    """Which runs told every output, bool (N,)."""
    return np.asarray(np.isfinite(rows.y_NO).all(1))


def taken(rows: Rows, which: np.ndarray | slice) -> Rows:
    """Some of the rows."""
    return Rows(rows.u_ND[which], rows.y_NO[which])


def finite(value: float) -> float | None:
    """A figure, or None where it does not exist, as R2 of what never differs."""
    return float(value) if np.isfinite(value) else None


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums are added up in one order, however many threads a process has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
