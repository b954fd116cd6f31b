"""What a search has learned from its rows: a surrogate, how right it is, and the margin that keeps
promises."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.design.constraints import Constraint
from modalloy.design.margin import (
    Margin,
    conformal_deviations,
    constraint_scores,
    fit_margin,
    intervals,
    room,
)
from modalloy.design.problem import Problem
from modalloy.design.propose import Proposals, Sought, propose
from modalloy.design.surrogates.choose import Chosen, choose
from modalloy.design.surrogates.surrogate import Predicted

RUNS = "it runs"  # 1 of each run that succeeded, 0 of others: learned where some did not
SHOWN = 0.9  # share of new values that shown intervals hold
LATEST = 120  # verified proposals that a margin is taken from


@dataclass(frozen=True)
class Learned:
    """names: what the surrogate foretells, in order. chosen: the surrogate and what it says of each
    row without that row. score_N: by how many deviations each row was foretold too kindly."""

    problem: Problem
    names: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    chosen: Chosen
    u_ND: np.ndarray
    y_NO: np.ndarray
    margin: Margin | None
    shown_O: np.ndarray

    def trained(self) -> dict[str, Any]:
        """How right the surrogate is on rows that it does not know."""
        return {
            "surrogate": self.chosen.kind,
            "compared": self.chosen.compared,
            "rows": len(self.y_NO),
            "scores": {
                name: figures(self.chosen.left_out, self.y_NO, o, self.shown_O)
                for o, name in enumerate(self.names)
            },
        }

    def calibrated(self) -> dict[str, Any]:
        """The margin, and what it was taken from."""
        said = self.margin
        return {
            "confidence": self.problem.asked.confidence,
            "rows": 0 if said is None else said.planned + said.verified,
            "planned": 0 if said is None else said.planned,
            "verified": 0 if said is None else said.verified,
            "deviations": None if said is None or not np.isfinite(said.deviations) else said.deviations,
        }

    def scores(self, predicted: Predicted, y_NO: np.ndarray) -> np.ndarray:
        """By how many deviations runs were foretold too kindly."""
        return constraint_scores(predicted, y_NO, self.names, self.constraints)

    def certified(self, u_ND: np.ndarray) -> np.ndarray:
        """Which designs are promised to keep everything."""
        if self.margin is None:
            return np.ones(len(u_ND), bool)
        said = self.chosen.surrogate.predict(u_ND)
        return room(said, self.names, self.constraints) >= self.margin.deviations

    def propose(self, count: int, *, final: bool, seed: int) -> dict[str, Any]:
        """So many designs with what is foretold of them."""
        problem = self.problem
        sought = Sought(self.names, problem.objectives, self.constraints)
        found: Proposals = propose(
            self.chosen.surrogate,
            sought,
            self.u_ND,
            self.y_NO,
            self.margin,
            repair=problem.repair,
            count=count,
            certified_only=final,
            seed=seed,
        )
        said = self.chosen.surrogate.predict(found.u_ND)
        ends = intervals(said, self.shown_O)
        shown = [self.names.index(n) for n in problem.outputs]
        return {
            "u": found.u_ND.tolist(),
            "designs": problem.designs(found.u_ND),
            "predicted": [
                {
                    self.names[o]: [
                        float(ends.low_NO[n, o]),
                        float(said.median_NO[n, o]),
                        float(ends.high_NO[n, o]),
                    ]
                    for o in shown
                }
                for n in range(len(found.u_ND))
            ],
            "certified": found.certified_N.tolist(),
            "extrapolates": found.extrapolates_N.tolist(),
        }


def learn(
    problem: Problem,
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    score_N: np.ndarray,
    *,
    seed: int,
    before: Chosen | None = None,
) -> Learned:
    """Fit a surrogate to all rows, and the margin. score_N: of proposals that were run, as they
    were foretold; NaN of planned rows."""
    names, constraints = problem.outputs, problem.constraints
    if not np.isfinite(y_NO).all():
        ran_N = np.isfinite(y_NO).all(1)
        y_NO = np.column_stack([y_NO, ran_N.astype(float)])
        names = (*names, RUNS)
        constraints = (*constraints, Constraint(RUNS, 0.5, float("inf"), None, RUNS))
    chosen = choose(u_ND, y_NO, kind=problem.asked.surrogate, seed=seed, before=before)
    margin = None
    if constraints:
        verified = score_N[np.isfinite(score_N)][-LATEST:]
        planned = constraint_scores(chosen.left_out, y_NO, names, constraints)
        margin = fit_margin(
            planned[: problem.asked.first], verified, confidence=problem.asked.confidence
        )
    shown_O = conformal_deviations(chosen.left_out, y_NO, coverage=SHOWN)
    return Learned(problem, names, constraints, chosen, u_ND, y_NO, margin, shown_O)


def figures(
    left_out: Predicted, y_NO: np.ndarray, o: int, shown_O: np.ndarray
) -> dict[str, float | None]:
    """R2, RMSE and how many of 90 % intervals hold the value, of one output."""
    known_N = np.isfinite(y_NO[:, o]) & np.isfinite(left_out.mean_NO[:, o])
    y_N, said_N = y_NO[known_N, o], left_out.median_NO[known_N, o]
    spread = float(((y_N - y_N.mean()) ** 2).sum())
    off_N = np.abs(left_out.normalised(y_NO)[known_N, o])
    return {
        "r2": 1 - float(((y_N - said_N) ** 2).sum()) / spread if spread > 0 else None,
        "rmse": float(np.sqrt(((y_N - said_N) ** 2).mean())),
        "coverage": float((off_N <= shown_O[o]).mean()),
    }
