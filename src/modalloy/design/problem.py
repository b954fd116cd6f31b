"""What a search solves, in arrays: designs, the outputs that matter, and what is asked of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.design.asked import Asked
from modalloy.design.constraints import (
    Constraint,
    Objective,
    parse_constraints,
    parse_objective,
)
from modalloy.errors import DesignError
from modalloy.job.options import did_you_mean
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space, place
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, Linked

RUNS = "it runs"  # an output that is 1 of each run that succeeded, learned where some did not


@dataclass(frozen=True)
class Problem:
    """objectives, constraints: on outputs and numeric variables. fixed: u of columns that stay."""

    asked: Asked
    twin: Twin
    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    fixed: Mapping[int, float]
    units: Mapping[str, str | None]

    @property
    def outputs(self) -> tuple[str, ...]:
        """What has to be known of a design, in order."""
        named = [*(o.output for o in self.objectives), *(c.output for c in self.constraints)]
        return tuple(dict.fromkeys(named))

    def repair(self, u_ND: np.ndarray) -> np.ndarray:
        """The nearest designs that can be made and leave set what is set."""
        u_ND = np.array(u_ND, dtype=np.float64)
        for column, u in self.fixed.items():
            u_ND[:, column] = u
        return self.space.repair(u_ND)

    def designs(self, u_ND: np.ndarray) -> list[dict[str, Any]]:
        """The value of every variable."""
        return self.space.decode(self.repair(u_ND))

    def values(self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> np.ndarray:
        """y_NO of runs, NaN where one failed; a variable among the outputs is known always."""
        y_NO = np.full((len(outcomes), len(self.outputs)), np.nan)
        for i, (design, outcome) in enumerate(zip(designs, outcomes, strict=True)):
            for o, name in enumerate(self.outputs):
                if name in self.twin.variables:
                    y_NO[i, o] = design[name]
                elif outcome.status == "ok":
                    y_NO[i, o] = outcome.outputs[name]
        return y_NO

    def kept(self, y_NO: np.ndarray) -> np.ndarray:
        """Which designs keep every constraint, bool (N,); one that failed keeps none."""
        kept_N = np.isfinite(y_NO).all(1)
        for constraint in self.constraints:
            kept_N &= constraint.kept(y_NO[:, self.outputs.index(constraint.output)])
        return kept_N

    def costs(self, y_NO: np.ndarray) -> np.ndarray:
        """f_NM of all objectives, each to be minimised."""
        at = [self.outputs.index(o.output) for o in self.objectives]
        return y_NO[:, at] * np.array([o.sign for o in self.objectives]).reshape(1, -1)


def problem_of(asked: Asked, twin: Twin) -> Problem:
    """The problem that is asked; DesignError names everything that the twin does not have."""
    units = numeric(twin)
    space = Space(twin.variables)
    constraints = parse_constraints(asked.such_that, units)
    objectives = tuple(
        parse_objective(name, units, direction=direction)
        for direction, names in (("minimise", asked.minimise), ("maximise", asked.maximise))
        for name in names
    )
    return Problem(asked, twin, space, objectives, constraints, held(asked.set, twin, space), units)


def numeric(twin: Twin) -> dict[str, str | None]:
    """Units of what objectives and constraints can be about: numbers among outputs and variables."""
    outputs = {n: o.unit for n, o in twin.outputs.items() if isinstance(o, NumberOutput)}
    variables = {
        n: v.unit for n, v in twin.variables.items() if not isinstance(v, Categorical)
    }
    return outputs | variables


def held(values: Mapping[str, float | str], twin: Twin, space: Space) -> dict[int, float]:
    """u of the columns of variables that stay as they are."""
    found: dict[int, float] = {}
    for name, value in values.items():
        variable = twin.variables.get(name)
        if variable is None or isinstance(variable, Linked):
            hint = did_you_mean(name, twin.variables)
            raise DesignError(f"set: there is no variable '{name}' that can be set.{hint}")
        own = space.groups[name]
        u_C = np.zeros(own.stop - own.start)
        place(variable, value, u_C, f"set: {name}")
        found |= {own.start + c: float(u) for c, u in enumerate(u_C)}
    return found
