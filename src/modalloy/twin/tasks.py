"""The runs of a plan: designs with what is set for all of them, hidden values and a seed each."""

from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np

from modalloy.errors import TwinError
from modalloy.job.options import did_you_mean
from modalloy.twin.asked import Asked, Unseen
from modalloy.twin.plans import plan
from modalloy.twin.runs import Task
from modalloy.twin.space import Space, settled, with_linked
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Continuous, Free, Hidden

DRAWS, RUNS = 1, 2  # what a generator is for, so that plan, hidden values and runs share none


def tasks_of(twin: Twin, asked: Asked) -> list[Task]:
    """A task a run, numbered from 0: every variable and hidden parameter, and the run's own seed.

    A run has the same hidden values and seed however many others there are. TwinError for values
    that cannot be set.
    """
    fixed = checked(twin, asked.fixed, "set: ")
    designs = _planned(twin, asked, fixed) if asked.designs is None else _given(twin, asked, fixed)
    hidden = drawn(twin.hidden, len(designs), asked.seed, asked.hidden)
    seeds = np.random.SeedSequence([asked.seed, RUNS]).generate_state(len(designs)).tolist()
    return [
        Task(run, {**unseen, **design}, seed)
        for run, (design, unseen, seed) in enumerate(zip(designs, hidden, seeds, strict=True))
    ]


def _planned(twin: Twin, asked: Asked, fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The designs of a plan over what is not fixed."""
    open_ = Space({n: v for n, v in twin.variables.items() if n not in fixed}).free
    if not open_:
        varied = asked.hidden == "drawn" and set(twin.hidden) - set(fixed)
        if not varied:
            raise TwinError("set: fixes every variable, so that all runs are the same one.")
        found: dict[str, np.ndarray] = {}
        count = asked.count
    else:
        space = Space(open_)
        u_ND = plan(space, asked.count, kind=asked.kind, seed=asked.seed)
        found, count = space.values(u_ND), len(u_ND)
    own = {name: np.array([value] * count) for name, value in fixed.items()}
    found = {**with_linked(twin.variables, own | found), **_hidden_of(twin, own)}
    return rows_of(found)


def _given(twin: Twin, asked: Asked, fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The designs that were given, each value looked at; linked ones are worked out anew."""
    assert asked.designs is not None
    if not asked.designs:
        raise TwinError("designs: there are none.")
    rows = []
    for i, design in enumerate(asked.designs):
        known = {n: v for n, v in design.items() if settable(twin, n)}
        row = {**checked(twin, known, f"design {i}: "), **fixed}
        lacking = [n for n in Space(twin.variables).free if n not in row]
        if lacking:
            raise TwinError(f"design {i}: has no value of {lacking[0]}.")
        one = {name: np.array([value]) for name, value in row.items()}
        rows += rows_of({**with_linked(twin.variables, one), **_hidden_of(twin, one)})
    return rows


def _hidden_of(twin: Twin, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of some values that hidden parameters have."""
    return {name: x_N for name, x_N in found.items() if name in twin.hidden}


def rows_of(found: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """x_N by name as N rows of plain values."""
    columns = [x_N.tolist() for x_N in found.values()]
    return [dict(zip(found, row, strict=True)) for row in zip(*columns, strict=True)]


def settable(twin: Twin, name: str) -> bool:
    """Whether a name is a hidden parameter or a variable that follows from no other."""
    return name in twin.hidden or name in Space(twin.variables).free


def checked(twin: Twin, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values as the twin's variables hold them; TwinError for one that cannot be set."""
    out, free = {}, Space(twin.variables).free
    for name, value in values.items():
        if name in twin.hidden:
            own = twin.hidden[name]
            between = Continuous(low=own.low, high=own.high)
            out[name] = settled(between, meant(between, value), f"{where}{name}")
        elif name in free:
            out[name] = settled(free[name], meant(free[name], value), f"{where}{name}")
        elif name in twin.variables:
            raise TwinError(f"{where}{name} follows from other variables; set these.")
        else:
            near = did_you_mean(name, [*free, *twin.hidden])
            raise TwinError(f"{where}{name} is no variable of this twin.{near}")
    return out


def meant(variable: Free, value: Any) -> Any:
    """A text as the number that it writes, where the variable holds numbers."""
    words = getattr(variable, "choices", None) or getattr(variable, "levels", (0.0,))
    if not isinstance(value, str) or isinstance(words[0], str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def drawn(
    hidden: Mapping[str, Hidden], count: int, seed: int, mode: Unseen
) -> list[dict[str, float]]:
    """Values of the hidden parameters for each of `count` runs.

    Uniform between their bounds, or normal around the default and truncated at the bounds, by the
    inverse of the distribution. The first runs of a longer plan are those of a shorter one.
    """
    match mode:
        case "default":
            return [{name: own.usual for name, own in hidden.items()} for _ in range(count)]
        case "drawn":
            u_NH = np.random.default_rng([seed, DRAWS]).random((count, len(hidden)))
            found = {
                name: at_share(own, u_NH[:, j]) for j, (name, own) in enumerate(hidden.items())
            }
            return rows_of(found) if found else [{} for _ in range(count)]
        case _:
            assert_never(mode)


def at_share(own: Hidden, u_N: np.ndarray) -> np.ndarray:
    """x_N below which a hidden parameter is in so large a share of runs, u_N in [0, 1)."""
    if own.deviation is None:
        return own.low + u_N * (own.high - own.low)
    from scipy.special import ndtr, ndtri

    low, high = ((end - own.usual) / own.deviation for end in (own.low, own.high))
    z_N = ndtri(ndtr(low) + u_N * (ndtr(high) - ndtr(low)))
    return np.clip(own.usual + own.deviation * z_N, own.low, own.high)
