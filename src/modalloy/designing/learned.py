"""What a search has learned from its rows: a surrogate, how right it is, and the margin that keeps
promises."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.answer.conformal import fewest
from modalloy.designing.candidates import Box
from modalloy.designing.choose import Chosen, Kind
from modalloy.designing.constraints import Constraint
from modalloy.designing.margin import (
    Margin,
    conformal_deviations,
    constraint_scores,
    fit_margin,
    intervals,
    room,
)
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.propose import Proposals, propose
from modalloy.designing.stand_in import beside, fit_surrogate
from modalloy.designing.study import Study
from modalloy.designing.surrogates.known import sure_of, with_known
from modalloy.designing.surrogates.over_hidden import Unseen, fit_over_hidden
from modalloy.designing.surrogates.surrogate import Predicted
from modalloy.designing.trust_region import TrustRegion

RUNS = "it runs"  # 1 of each run that succeeded, 0 of others: learned where some did not
SHOWN = 0.9  # share of new values that shown intervals hold
LATEST = 100  # verified proposals that a margin is taken from, or more where it needs more
ENDLESS = 1e6  # deviations, for what is infinitely far off
APART = 0.02  # least distance of two proposals, as a share of the trust region
CLOSEST = 0.02  # of that, where the last proposals would be too few otherwise


@dataclass(frozen=True)
class Learned:
    """problem: with an output more where runs failed. chosen: the surrogate, and what it says of
    each row without that row. shown_O: deviations that shown intervals reach to either side. past:
    further rows, that a run in the simulator's place has learned from; a search may begin there."""

    study: Study
    problem: Problem
    chosen: Chosen
    rows: Rows
    margin: Margin | None
    shown_O: np.ndarray
    past: Rows | None = None

    def trained(self) -> dict[str, Any]:
        """How right the surrogate is on rows that it does not know."""
        left_out = self.chosen.left_out
        return {
            "surrogate": self.chosen.kind,
            "compared": dict(self.chosen.compared),
            "rows": len(self.rows.y_NO),
            "shown": SHOWN,
            "scores": {
                name: figures(left_out, self.rows.y_NO, o, self.shown_O)
                for o, name in enumerate(self.problem.names)
            },
        }

    def calibrated(self) -> dict[str, Any]:
        """The margin, how many rows of each kind it was taken from, and how many it needs at least
        of designs that were picked as the last ones are."""
        said = self.margin
        found: dict[str, Any] = {"confidence": self.study.asked.confidence}
        reach = None if said is None or not np.isfinite(said.deviations) else said.deviations
        found["margins"] = {c.output: reach for c in self.problem.constraints}
        found["planned"] = 0 if said is None else said.planned
        found["verified"] = 0 if said is None else said.verified
        found["rows"] = found["planned"] + found["verified"]
        found["needed"] = fewest(self.study.asked.confidence) if self.problem.constraints else 0
        return found

    def scores(self, predicted: Predicted, y_NO: np.ndarray) -> np.ndarray:
        """By how many deviations runs were foretold too kindly, NaN where they failed.

        Of an output that was modelled by its logarithm and came out as 0 or less that is without
        end, and so told as a million: it has to count among the worst.
        """
        if RUNS in self.problem.names:
            y_NO = with_success(y_NO, self.problem.names.index(RUNS))
        names, constraints = self.problem.names, self.problem.constraints
        return np.clip(constraint_scores(predicted, y_NO, names, constraints), -ENDLESS, ENDLESS)

    def certified(self, u_ND: np.ndarray) -> np.ndarray:
        """Which designs the margin certifies to keep everything, bool (N,)."""
        if self.margin is None or not len(u_ND):
            return np.ones(len(u_ND), dtype=bool)
        said = self.chosen.surrogate.predict(u_ND)
        return room(said, self.problem.names, self.problem.constraints) >= self.margin.deviations

    def propose(
        self, count: int, *, final: bool, region: TrustRegion | None, seed: int
    ) -> tuple[Proposals, dict[str, Any]]:
        """So many designs and what is foretold of them: the last ones certified, others to learn
        from, inside the region."""
        box = None if final or region is None else Box(*region.bounds())
        side = 1.0 if box is None or region is None else min(1.0, region.length)
        found = self.apart(APART * side, count, final=final, box=box, seed=seed)
        while final and len(found.u_BD) < count and side > CLOSEST:
            side /= 4  # a small space, or one optimum: its designs are close to each other
            found = self.apart(APART * side, count, final=final, box=box, seed=seed)
        if final and not len(found.u_BD) and self.study.drawn:  # all were run, each by one draw
            found = self.apart(APART, count, final=True, box=None, seed=seed, again=True)
        if final and not len(found.u_BD):  # nothing is certified: the likeliest, and said so
            found = self.apart(APART, count, final=False, box=None, seed=seed)
        return found, self.told(found)

    def apart(
        self,
        least: float,
        count: int,
        *,
        final: bool,
        box: Box | None,
        seed: int,
        again: bool = False,
    ) -> Proposals:
        """Designs with a least distance between them. again: those that were run may be among
        them."""
        return propose(
            self.problem,
            self.chosen.surrogate,
            self.rows if self.past is None else self.rows.and_more(*self.past),
            count=count,
            margin=0.0 if self.margin is None else self.margin.deviations,
            seed=seed,
            purpose="certify" if final else "explore",
            box=box,
            apart=least,
            again=again,
        )

    def told(self, found: Proposals) -> dict[str, Any]:
        """Proposals as a record holds them."""
        ends = intervals(found.predicted, self.shown_O)
        middle_NO = found.predicted.median_NO
        shown = [self.problem.names.index(name) for name in self.study.outputs]
        return {
            "u": found.u_BD.tolist(),
            "designs": self.study.designs(found.u_BD),
            "predicted": [
                {
                    self.problem.names[o]: [
                        float(x[n, o]) for x in (ends.low_NO, middle_NO, ends.high_NO)
                    ]
                    for o in shown
                }
                for n in range(len(found.u_BD))
            ],
            "certified": found.certified_B.tolist(),
            "extrapolates": found.extrapolates_B.tolist(),
        }


def learn(
    study: Study,
    rows: Rows,
    score_N: np.ndarray,
    *,
    kind: Kind | None,
    fitted: int,
    unseen: Unseen | None = None,
) -> Learned:
    """Learn from rows. score_N: of proposals that were run, by how many deviations they were
    foretold too kindly then; NaN of planned rows. kind: of surrogate; None for whichever foretells
    rows better. fitted: how many of the rows the surrogate's parameters are fitted to; it is given
    all of them. unseen: hidden parameters of the rows, where they were drawn."""
    problem, asked, past = study.problem, study.asked, None
    modelled = len(problem.names) - len(study.known)
    if study.run is not None and asked.twin is not None:
        past = with_values(study, study.run.past)
    if not np.isfinite(rows.y_NO).all():
        rows = Rows(rows.u_ND, with_success(rows.y_NO, modelled))
        past = past and Rows(past.u_ND, with_success(past.y_NO, modelled))
        names = (*problem.names[:modelled], RUNS, *study.known)
        runs = Constraint(RUNS, 0.5, np.inf, None, RUNS)
        problem = problem._replace(names=names, constraints=(*problem.constraints, runs))
        modelled += 1
    own = Rows(rows.u_ND, rows.y_NO[:, :modelled])
    how: dict[str, Any] = {"kind": kind, "fitted": fitted, "seed": asked.seed}
    if study.run is not None:
        chosen = study.run.fit(own, confidence=asked.confidence, seed=asked.seed)
    else:
        chosen = (
            fit_surrogate(own, **how) if unseen is None else fit_over_hidden(own, unseen, **how)
        )
    if study.known:
        known = with_known(chosen.surrogate, study.known_values, study.space.size)
        sure_V = sure_of(study.known_values, study.space.size)
        sure_NV = np.broadcast_to(sure_V, (len(rows.u_ND), len(study.known)))
        left_out = beside(chosen.left_out, study.known_values(rows.u_ND), sure_NV)
        chosen = chosen._replace(surrogate=known, left_out=left_out)
    margin = None
    if problem.constraints:
        planned_N = constraint_scores(
            chosen.left_out, rows.y_NO, problem.names, problem.constraints
        )
        latest = max(LATEST, fewest(asked.confidence))
        verified = score_N[np.isfinite(score_N)][-latest:]
        margin = fit_margin(planned_N[: asked.first], verified, confidence=asked.confidence)
    shown_O = conformal_deviations(chosen.left_out, rows.y_NO, coverage=SHOWN)
    return Learned(study, problem, chosen, rows, margin, shown_O, past)


def with_values(study: Study, rows: Rows) -> Rows:
    """Rows of modelled outputs with the outputs that are known without a run behind them."""
    if not study.known:
        return rows
    return Rows(rows.u_ND, np.concatenate([rows.y_NO, study.known_values(rows.u_ND)], axis=1))


def with_success(y_NO: np.ndarray, modelled: int) -> np.ndarray:
    """Outputs, and behind those that are modelled whether the run succeeded, as 1 or 0."""
    ran_N = np.isfinite(y_NO).all(1).astype(float)
    return np.column_stack([y_NO[:, :modelled], ran_N, y_NO[:, modelled:]])


def figures(
    left_out: Predicted, y_NO: np.ndarray, o: int, shown_O: np.ndarray
) -> dict[str, float | None]:
    """R2, RMSE and which share of shown intervals holds the value, of one output."""
    known_N = np.isfinite(y_NO[:, o]) & np.isfinite(left_out.mean_NO[:, o])
    y_N, said_N = y_NO[known_N, o], left_out.median_NO[known_N, o]
    spread = float(((y_N - y_N.mean()) ** 2).sum())
    off_N = np.abs(left_out.normalised(y_NO)[known_N, o])
    return {
        "r2": 1 - float(((y_N - said_N) ** 2).sum()) / spread if spread > 0 else None,
        "rmse": float(np.sqrt(((y_N - said_N) ** 2).mean())),
        "coverage": float((off_N <= shown_O[o]).mean()),
    }
