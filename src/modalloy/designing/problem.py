"""What is asked of designs: the space that they are in, what they must keep and what is sought.

Letters: N designs, D columns in [0, 1], O outputs, K objectives.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from modalloy.designing.constraints import Constraint, Objective
from modalloy.designing.surrogates.surrogate import linked

PROBES = 16  # random designs that tell which columns are continuous


class Designs(Protocol):
    """The space of a twin, as far as proposals need it."""

    @property
    def size(self) -> int:
        """Columns of a design."""
        ...

    @property
    def groups(self) -> Mapping[str, slice]:
        """The columns of each variable."""
        ...

    def repair(self, u_ND: np.ndarray) -> np.ndarray:
        """The nearest designs that can be made."""
        ...


class Problem(NamedTuple):
    """A space, the outputs in the surrogate's order, constraints and objectives.

    Without an objective whatever keeps the constraints is as good. fixed_D: columns that are held
    at a value, NaN where free; None holds nothing.
    """

    space: Designs
    names: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    objectives: tuple[Objective, ...]
    fixed_D: np.ndarray | None = None

    def repair(self, u_ND: np.ndarray) -> np.ndarray:
        """The nearest designs that can be made and hold what is fixed."""
        if self.fixed_D is not None:
            u_ND = np.where(np.isnan(self.fixed_D), u_ND, self.fixed_D)
        return self.space.repair(np.clip(u_ND, 0.0, 1.0))

    def continuous(self) -> np.ndarray:
        """Which columns may take any value, bool (D,): those that repairing leaves as they are."""
        u_ND = np.random.default_rng(0).random((PROBES, self.space.size))
        return np.asarray((np.abs(self.repair(u_ND) - u_ND) < 1e-12).all(0))

    def sought(self, y_NO: np.ndarray, log_O: np.ndarray | None = None) -> np.ndarray:
        """Objectives to be minimised, (N, K); as a surrogate models them where log_O is given."""
        t_NO = np.asarray(y_NO) if log_O is None else linked(y_NO, log_O)
        sign_K = np.array([o.sign for o in self.objectives])
        return sign_K * t_NO[:, [self.names.index(o.output) for o in self.objectives]]

    def kept(self, y_NO: np.ndarray) -> np.ndarray:
        """Which runs keep every constraint, bool (N,); one with a missing output does not."""
        kept_N = np.ones(len(y_NO), dtype=bool)
        for c in self.constraints:
            kept_N &= c.kept(y_NO[:, self.names.index(c.output)])
        return kept_N


class Rows(NamedTuple):
    """Designs that were run, and what came out; NaN where a run failed."""

    u_ND: np.ndarray
    y_NO: np.ndarray

    def and_more(self, u_MD: np.ndarray, y_MO: np.ndarray) -> "Rows":
        """These rows and further ones."""
        return Rows(np.concatenate([self.u_ND, u_MD]), np.concatenate([self.y_NO, y_MO]))


def shortfall(problem: Problem, y_NO: np.ndarray) -> np.ndarray:
    """By how much runs miss their constraints, in deviations of each output over the runs, (N,).

    0 where all are kept, infinite where an output is missing.
    """
    short_N = np.zeros(len(y_NO))
    for c in problem.constraints:
        y_N = y_NO[:, problem.names.index(c.output)]
        known_N = y_N[np.isfinite(y_N)]
        scale = float(known_N.std()) if len(known_N) else 1.0
        beyond_N = np.maximum(np.maximum(c.low - y_N, y_N - c.high), 0.0)
        short_N = short_N + np.where(np.isnan(y_N), np.inf, beyond_N) / (scale or 1.0)
    return short_N


def best_row(problem: Problem, rows: Rows) -> int | None:
    """The row that is best in the first objective of those that keep all constraints.

    Where none does, the row that misses them by least; None where no run has all outputs.
    """
    short_N = shortfall(problem, rows.y_NO)
    value_N = problem.sought(rows.y_NO)[:, 0] if problem.objectives else np.zeros(len(short_N))
    usable_N = np.isfinite(short_N) & np.isfinite(value_N)
    if not usable_N.any():
        return None
    order = np.lexsort([value_N, short_N])
    return int(next(i for i in order if usable_N[i]))
