"""Plans of runs: Latin hypercube, Sobol and factorial designs over variables of all kinds."""

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from modalloy.errors import TwinError
from modalloy.twin.asked import PlanKind
from modalloy.twin.space import Space, levels, nearest_level
from modalloy.twin.variables import Categorical

MOST_RUNS = 1_000_000


def plan(space: Space, count: int, *, kind: PlanKind, seed: int) -> np.ndarray:
    """u_ND of the designs to run, repaired. count: how many; a factorial has at most that many.

    - `latin`: each variable has one design in each of N equal stretches (McKay, Beckman and
      Conover, 1979); levels of a variable are as even as N allows.
    - `sobol`: scrambled Sobol points (Owen, 1998), balanced where N is a power of two.
    - `factorial`: every combination of all levels of variables that have some and of equally many
      levels of each continuous one, `factorial_levels`; in an order by chance, so that a plan that
      is stopped early still spreads.

    TwinError where there are no runs to plan, or none of the factorials fits.
    """
    if not 1 <= count <= MOST_RUNS:
        raise TwinError(f"runs: {count} is no plan; give 1 to {MOST_RUNS:,}.")
    match kind:
        case "latin":
            v_NV = _latin(len(space.groups), count, seed)
        case "sobol":
            v_NV = _sobol(len(space.groups), count, seed)
        case "factorial":
            v_NV = _factorial(space, count, seed)
        case _:
            assert_never(kind)
    return space.repair(spread(space, v_NV))


def spread(space: Space, v_NV: np.ndarray) -> np.ndarray:
    """u_ND from one number in [0, 1) a variable: a categorical's says which choice it has."""
    u_ND = np.zeros((len(v_NV), space.size))
    for j, (name, variable) in enumerate(space.free.items()):
        own_ND = u_ND[:, space.groups[name]]
        if isinstance(variable, Categorical):
            choice_N = nearest_level(v_NV[:, j], len(variable.choices)).astype(np.int64)
            own_ND[np.arange(len(v_NV)), choice_N] = 1.0
        else:
            own_ND[:, 0] = v_NV[:, j]
    return u_ND


def _latin(variables: int, count: int, seed: int) -> np.ndarray:
    """v_NV of a Latin hypercube."""
    from scipy.stats import qmc

    return qmc.LatinHypercube(d=variables, seed=np.random.default_rng(seed)).random(count)


def _sobol(variables: int, count: int, seed: int) -> np.ndarray:
    """v_NV of scrambled Sobol points; of a number that is no power of two, the first so many."""
    from scipy.stats import qmc

    engine = qmc.Sobol(d=variables, scramble=True, seed=np.random.default_rng(seed))
    return engine.random_base2((count - 1).bit_length())[:count]


def _factorial(space: Space, count: int, seed: int) -> np.ndarray:
    """v_NV of all combinations, in an order by chance."""
    each = factorial_levels(space, count)
    own = []
    for name, variable in space.free.items():
        fixed = levels(variable) is not None
        k = each[name]
        # A continuous variable's ends belong to it; a level stands in the middle of its stretch.
        own.append((np.arange(k) + 0.5) / k if fixed else np.linspace(0.0, 1.0, k))
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*own, indexing="ij")], axis=1)
    return grid[np.random.default_rng(seed).permutation(len(grid))]


def factorial_levels(space: Space, count: int) -> dict[str, int]:
    """How many levels of each variable a full factorial of at most `count` runs has.

    Variables of given levels have all of theirs; every continuous one has the most that fits,
    two at least. TwinError says how many runs the smallest factorial needs.
    """
    given = {name: levels(variable) for name, variable in space.free.items()}
    fixed = 1
    for some in given.values():
        fixed *= some or 1
    open_ = [name for name, some in given.items() if some is None]
    least = fixed * 2 ** len(open_)
    if least > count:
        raise TwinError(
            f"plan: the smallest factorial of these variables has {least:,} runs, more than "
            f"{count:,}: {_words(given)}. Give --runs {least}, set some variables with --set, or "
            "use latin or sobol."
        )
    each = 2
    while open_ and fixed * (each + 1) ** len(open_) <= count:
        each += 1
    return {name: each if some is None else some for name, some in given.items()}


def _words(given: dict[str, int | None]) -> str:
    """`2 levels of each of 12 continuous variables, 4 of teeth`."""
    said = [f"{some} of {name}" for name, some in given.items() if some is not None]
    open_ = sum(some is None for some in given.values())
    first = [f"2 levels of each of {open_} continuous variables"] if open_ else []
    return _some([*first, *said])


def _some(names: Sequence[str], most: int = 6) -> str:
    """The first of some words."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
