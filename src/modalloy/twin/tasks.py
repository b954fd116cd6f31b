"""The runs of a plan: designs with what is set for all of them, hidden values and a seed each."""

from collections.abc import Mapping, Sequence
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

    Of an active plan, its first runs. A run has the same hidden values and seed however many others
    there are. TwinError for values that cannot be set.
    """
    fixed = checked(twin, asked.fixed, "set: ")
    designs = _planned(twin, asked, fixed) if asked.designs is None else _given(twin, asked, fixed)
    return numbered(twin, asked, designs, first=0)


def numbered(
    twin: Twin, asked: Asked, designs: Sequence[Mapping[str, Any]], *, first: int
) -> list[Task]:
    """Designs as the runs first, first + 1, ..., with their hidden values and seeds."""
    count = first + len(designs)
    hidden = drawn(twin.hidden, count, asked.seed, asked.hidden)
    seeds = np.random.SeedSequence([asked.seed, RUNS]).generate_state(count).tolist()
    return [
        Task(run, {**hidden[run], **design}, seeds[run])
        for run, design in enumerate(designs, start=first)
    ]


def _planned(twin: Twin, asked: Asked, fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The designs of a plan over what is not fixed."""
    space = open_space(twin, fixed)
    if not space.free:
        varied = asked.hidden == "drawn" and set(twin.hidden) - set(fixed)
        if not varied:
            raise TwinError("set: fixes every variable, so that all runs are the same one.")
        return designs_at(twin, fixed, space, np.zeros((asked.count, 0)))
    if asked.choosing is not None:
        u_ND = plan(space, asked.choosing.first, kind="sobol", seed=asked.seed)
    else:
        assert asked.kind != "active", "an active plan says how its runs are chosen"
        u_ND = plan(space, asked.count, kind=asked.kind, seed=asked.seed)
    return designs_at(twin, fixed, space, u_ND)


def open_space(twin: Twin, fixed: Mapping[str, Any]) -> Space:
    """The space of the variables that are not fixed."""
    return Space(Space({n: v for n, v in twin.variables.items() if n not in fixed}).free)


def designs_at(
    twin: Twin, fixed: Mapping[str, Any], space: Space, u_ND: np.ndarray
) -> list[dict[str, Any]]:
    """Designs of an open space with what is fixed beside them and what follows from both."""
    own = {name: np.array([value] * len(u_ND)) for name, value in fixed.items()}
    found = space.values(u_ND) if space.free else {}
    return rows_of({**with_linked(twin.variables, own | found), **_hidden_of(twin, own)})


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
