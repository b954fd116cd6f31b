"""What a search is about: a twin, what is asked of it, and rows as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.designing.asked import Design
from modalloy.designing.constraints import parse_constraints, parse_objective, refuse_beyond
from modalloy.designing.problem import Problem
from modalloy.designing.run_stand_in import RunStandIn
from modalloy.errors import DesignError
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.runs import Outcome
from modalloy.twin.space import Space, bounds_of
from modalloy.twin.tasks import at_share, checked
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, worded

POINTS = 32  # that stand for the law of all hidden parameters together


@dataclass(frozen=True)
class Study:
    """space: of all variables, those that are set among them. units: of what numbers there are.
    run: that stands in for the simulator, where one does."""

    asked: Design
    twin: Twin
    space: Space
    problem: Problem
    units: Mapping[str, str | None]
    run: RunStandIn | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """What has to be known of a design, in order."""
        return self.problem.names

    @property
    def known(self) -> tuple[str, ...]:
        """Variables among the outputs: known of each design without a run."""
        return tuple(name for name in self.outputs if name in self.twin.variables)

    def known_values(self, u_ND: np.ndarray) -> np.ndarray:
        """Their values, (N, V)."""
        found = self.space.values(self.problem.repair(u_ND))
        return np.stack([found[name].astype(np.float64) for name in self.known], axis=1)

    @property
    def drawn(self) -> bool:
        """Whether something acts unseen that differs from run to run."""
        return bool(self.twin.hidden) and self.asked.hidden == "drawn"

    def hidden_shares(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """h_NH: hidden parameters of runs as shares of their bounds."""
        hidden = self.twin.hidden
        found = [[(r[n] - o.low) / (o.high - o.low) for n, o in hidden.items()] for r in rows]
        return np.array(found, dtype=np.float64).reshape(len(rows), len(hidden))

    def hidden_points(self) -> np.ndarray:
        """h_SH: points that stand for the law of the hidden parameters, as shares of their bounds:
        a scrambled Sobol sequence (Owen 1998) through the inverse of each distribution."""
        from scipy.stats import qmc

        hidden = self.twin.hidden
        sobol = qmc.Sobol(len(hidden), rng=np.random.default_rng(POINTS))
        share_SH = sobol.random(POINTS)
        found = {n: at_share(o, share_SH[:, j]) for j, (n, o) in enumerate(hidden.items())}
        return self.hidden_shares(
            [dict(zip(found, v, strict=True)) for v in zip(*found.values(), strict=True)]
        )

    def designs(self, u_ND: np.ndarray) -> list[dict[str, Any]]:
        """The value of every variable."""
        return self.space.decode(self.problem.repair(u_ND))

    def values(
        self, designs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]
    ) -> np.ndarray:
        """y_NO of runs, NaN where one failed; a variable among the outputs is known always."""
        y_NO = np.full((len(outcomes), len(self.outputs)), np.nan)
        for i, (design, outcome) in enumerate(zip(designs, outcomes, strict=True)):
            for o, name in enumerate(self.outputs):
                if name in self.twin.variables:
                    y_NO[i, o] = design[name]
                elif outcome.status == "ok":
                    y_NO[i, o] = outcome.outputs[name]
        return y_NO


def study_of(asked: Design, twin: Twin, *, units: Mapping[str, str | None] | None = None) -> Study:
    """What is asked of a twin; DesignError names everything that the twin does not have.

    units: of what numbers there are, as the twin says for None.
    """
    units = numeric(twin) if units is None else units
    space = Space(twin.variables)
    constraints = parse_constraints(asked.such_that, units)
    objectives = tuple(
        parse_objective(name, units, direction=direction)
        for direction, names in (("minimise", asked.minimise), ("maximise", asked.maximise))
        for name in names
    )
    named = [*(o.output for o in objectives), *(c.output for c in constraints)]
    named.sort(key=lambda name: name in twin.variables)  # what has to be modelled first
    fixed = held(asked.set, twin, space)
    refuse_beyond(constraints, bounds_of(twin.variables, checked(twin, asked.set, "set: ")))
    problem = Problem(space, tuple(dict.fromkeys(named)), constraints, objectives, fixed)
    return Study(asked, twin, space, problem, units)


def numeric(twin: Twin) -> dict[str, str | None]:
    """Units of what can be asked about: numbers among outputs and variables."""
    outputs = {n: o.unit for n, o in twin.outputs.items() if isinstance(o, NumberOutput)}
    variables = {
        name: variable.unit
        for name, variable in twin.variables.items()
        if not isinstance(variable, Categorical) and not worded(variable)
    }
    return outputs | variables


def held(values: Mapping[str, float | str], twin: Twin, space: Space) -> np.ndarray:
    """u_D of the columns of variables that stay as they are, NaN of all others."""
    fixed_D = np.full(space.size, np.nan)
    for name, value in checked(twin, values, "set: ").items():
        if name in twin.hidden:
            raise DesignError(f"set: {name} is hidden; a search draws it, or leaves it as usual.")
        own = Space({name: twin.variables[name]}).encode([{name: value}])
        fixed_D[space.groups[name]] = own[0]
    if not np.isnan(fixed_D).any():
        raise DesignError("set: fixes every variable, so that there is nothing to seek.")
    return fixed_D
