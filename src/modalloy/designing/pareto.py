"""Fronts of designs that no other one beats in every objective, and the volume that they beat.

Letters: N designs, K objectives, all to be minimised. Objectives to be maximised come with their
sign turned.
"""

import numpy as np


def front(y_NK: np.ndarray) -> np.ndarray:
    """Which designs no other one dominates, bool (N,): as good in every objective, better in one.

    Of equal ones all are on the front; one with a missing value is not.
    """
    return ranks(y_NK, first=True) == 0


def ranks(y_NK: np.ndarray, *, first: bool = False) -> np.ndarray:
    """The front that each design is on, (N,) int, 0 being the best; -1 where a value is missing.

    A design's front is that which is left when all better fronts are taken away (non-dominated
    sorting, Deb et al. 2002). first: the best front alone; all other ones are on front 1.
    """
    rank_N = np.full(len(y_NK), -1)
    left = np.flatnonzero(~np.isnan(y_NK).any(1))
    number = 0
    while len(left):
        best = undominated(y_NK[left])
        rank_N[left[best]] = number
        left, number = left[~best], number + 1
        if first:
            rank_N[left] = 1
            break
    return rank_N


def undominated(y_NK: np.ndarray) -> np.ndarray:
    """Which complete designs no other one dominates, bool (N,)."""
    # In the order of the first objective (ties: of the next) only earlier designs can dominate.
    order_N = np.lexsort(y_NK.T[::-1])
    best_N = np.zeros(len(y_NK), dtype=bool)
    kept_MK = np.empty((0, y_NK.shape[1]))
    for i in order_N:
        beaten_M = (kept_MK <= y_NK[i]).all(1) & (kept_MK < y_NK[i]).any(1)
        if not beaten_M.any():
            best_N[i] = True
            kept_MK = np.vstack([kept_MK, y_NK[i]])
    return best_N


def hypervolume(y_NK: np.ndarray, reference_K: np.ndarray) -> float:
    """The volume between designs and a reference point that they dominate, exactly.

    Designs that are not better than the reference in every objective add nothing. One objective is
    a length, two are an area by its steps, more are cut into slices along the last one (Hypervolume
    by Slicing Objectives, While et al. 2006): meant for K of 2 or 3.
    """
    inside_NK = y_NK[(y_NK < reference_K).all(1)]
    if not len(inside_NK):
        return 0.0
    if y_NK.shape[1] == 1:
        return float(reference_K[0] - inside_NK.min())
    points_NK = inside_NK[undominated(inside_NK)]
    if y_NK.shape[1] == 2:
        return area(points_NK, reference_K)
    points_NK = points_NK[np.argsort(points_NK[:, -1], kind="stable")]
    edges = np.r_[points_NK[:, -1], reference_K[-1]]
    return sum(
        float(edges[i + 1] - edges[i]) * hypervolume(points_NK[: i + 1, :-1], reference_K[:-1])
        for i in range(len(points_NK))
        if edges[i + 1] > edges[i]
    )


def area(points_N2: np.ndarray, reference_2: np.ndarray) -> float:
    """The area that undominated points dominate."""
    points_N2 = points_N2[np.argsort(points_N2[:, 0], kind="stable")]
    top_N = np.r_[reference_2[1], points_N2[:-1, 1]]
    return float(((reference_2[0] - points_N2[:, 0]) * (top_N - points_N2[:, 1])).sum())


def improvement(new_MK: np.ndarray, y_NK: np.ndarray, reference_K: np.ndarray) -> np.ndarray:
    """By how much each new design alone would raise the hypervolume of others, (M,)."""
    inside_NK = y_NK[(y_NK < reference_K).all(1)]
    old_NK = inside_NK[undominated(inside_NK)] if len(inside_NK) else inside_NK
    gain_M = np.zeros(len(new_MK))
    for m, new_K in enumerate(new_MK):
        if not (new_K < reference_K).all():
            continue
        # What is dominated already, within the box that the new design dominates.
        clipped_NK = np.maximum(old_NK, new_K)
        gain_M[m] = np.prod(reference_K - new_K) - hypervolume(clipped_NK, reference_K)
    return np.maximum(gain_M, 0.0)


def reference_point(y_NK: np.ndarray) -> np.ndarray:
    """A point a tenth of the front's extent beyond its worst values, (K,) (Ishibuchi et al. 2018).

    Where a front has no extent in an objective, a tenth of the value's size.
    """
    on_NK = y_NK[front(y_NK)]
    extent_K = np.ptp(on_NK, axis=0)
    size_K = np.maximum(np.abs(on_NK).max(0), 1e-12)
    return on_NK.max(0) + 0.1 * np.where(extent_K > 0, extent_K, size_K)
