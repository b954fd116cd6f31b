"""The nearest designs that keep everything asked, and what of a given one would have to change."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

HALVINGS = 7  # of each remaining change: to a hundredth of it
SPREAD = 0.15  # deviation of designs tried around those that are known to keep everything

Certified = Callable[[np.ndarray], np.ndarray]  # u_ND -> bool (N,)
Repair = Callable[[np.ndarray], np.ndarray]


class Changed(NamedTuple):
    """A design that keeps everything. changed: variables that differ. distance: sum over variables
    of how far, as shares of their range; 1 for another choice."""

    u_D: np.ndarray
    changed: tuple[str, ...]
    distance: float


def nearest(
    u_D: np.ndarray,
    known_ND: np.ndarray,
    certified: Certified,
    repair: Repair,
    groups: Mapping[str, slice],
    *,
    actionable: Sequence[str],
    count: int,
    seed: int,
    tries: int = 400,
) -> list[Changed]:
    """Designs near u_D that are certified, the nearest first; none where none was found.

    Starts from known designs and from tries around them, gives back every change that is not
    needed, variable after variable, and halves those that are (model-agnostic counterfactuals with
    few changes, after Wachter et al. 2017, 1711.00399, and Mothilal et al. 2020, 1905.07697).

    known_ND: designs that may keep everything, such as verified ones. actionable: variables that
    may change at all. count: designs that differ in the set of variables that changed.
    """
    draw = np.random.default_rng(seed)
    held = [name for name in groups if name not in actionable]
    pool_ND = around(u_D, known_ND, draw, tries)
    for name in held:
        pool_ND[:, groups[name]] = u_D[groups[name]]
    pool_ND = repair(np.concatenate([u_D[None], pool_ND]))
    pool_ND = pool_ND[certified(pool_ND)]
    if not len(pool_ND):
        return []
    far_N = distances(pool_ND, u_D, groups).sum(1)
    pool_ND = pool_ND[np.argsort(far_N, kind="stable")[: max(8 * count, 32)]]
    pool_ND = shrunk(given_back(pool_ND, u_D, certified, repair, groups), u_D, certified, repair)
    found: dict[tuple[str, ...], Changed] = {}
    for one_D in given_back(pool_ND, u_D, certified, repair, groups):
        far_V = distances(one_D[None], u_D, groups)[0]
        names = tuple(n for n, far in zip(groups, far_V, strict=True) if far > 1e-9)
        own = Changed(one_D, names, float(far_V.sum()))
        if names not in found or own.distance < found[names].distance:
            found[names] = own
    return sorted(found.values(), key=lambda c: (c.distance, c.changed))[:count]


def around(
    u_D: np.ndarray, known_ND: np.ndarray, draw: np.random.Generator, tries: int
) -> np.ndarray:
    """Known designs, designs between each and the given one, and some around both."""
    if not len(known_ND):
        return np.clip(u_D + draw.normal(0.0, 2 * SPREAD, (tries, len(u_D))), 0.0, 1.0)
    near_N = np.argsort(((known_ND - u_D) ** 2).sum(1), kind="stable")[: max(1, tries // 4)]
    known_ND = known_ND[near_N]
    picked_ND = known_ND[draw.integers(0, len(known_ND), tries)]
    share_N1 = draw.random((tries, 1))
    between_ND = share_N1 * u_D + (1 - share_N1) * picked_ND
    some_ND = between_ND + draw.normal(0.0, SPREAD / 3, between_ND.shape)
    return np.clip(np.concatenate([known_ND, between_ND, some_ND]), 0.0, 1.0)


def given_back(
    pool_ND: np.ndarray,
    u_D: np.ndarray,
    certified: Certified,
    repair: Repair,
    groups: Mapping[str, slice],
) -> np.ndarray:
    """The same designs with every variable as it was that need not change: of each the one whose
    change is smallest first, so that few large changes are left rather than many small ones."""
    pool_ND = pool_ND.copy()
    slices = [*groups.values()]
    order_NV = np.argsort(distances(pool_ND, u_D, groups), axis=1, kind="stable")
    for rank in range(len(slices)):
        tried_ND = pool_ND.copy()
        for row, v in enumerate(order_NV[:, rank]):
            tried_ND[row, slices[v]] = u_D[slices[v]]
        tried_ND = repair(tried_ND)
        ok_N = certified(tried_ND)
        pool_ND[ok_N] = tried_ND[ok_N]
    return pool_ND


def shrunk(
    pool_ND: np.ndarray, u_D: np.ndarray, certified: Certified, repair: Repair
) -> np.ndarray:
    """The same designs, drawn toward the given one as far as they stay certified."""
    low_N, high_N = np.zeros(len(pool_ND)), np.ones(len(pool_ND))  # shares of the change
    best_ND = pool_ND
    for _ in range(HALVINGS):
        middle_N = (low_N + high_N) / 2
        tried_ND = repair(u_D + middle_N[:, None] * (pool_ND - u_D))
        ok_N = certified(tried_ND)
        best_ND = np.where(ok_N[:, None], tried_ND, best_ND)
        high_N, low_N = np.where(ok_N, middle_N, high_N), np.where(ok_N, low_N, middle_N)
    return best_ND


def distances(pool_ND: np.ndarray, u_D: np.ndarray, groups: Mapping[str, slice]) -> np.ndarray:
    """How far each variable of each design is from the given one, (N, V); 1 for another choice."""
    far_ND = np.abs(pool_ND - u_D)
    return np.stack([far_ND[:, own].max(1) for own in groups.values()], axis=1)
