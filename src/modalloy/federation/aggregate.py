"""Changes of several sites as one, weight by weight; each rule bears what its paper says it does.

A site that did not learn a block - it has no such column - is left out of that block alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.errors import FederationError
from modalloy.job.federated import Federate

Arrays = dict[str, np.ndarray]


class Change(NamedTuple):
    """What one site hands in. arrays: by weight, of those alone that it learned. rows: that it
    learned from. age: rounds since it was asked."""

    site: str
    arrays: Mapping[str, np.ndarray]
    rows: float
    age: int = 0


def together(changes: Sequence[Change], options: Federate) -> Arrays:
    """The change of the model that these make; FederationError for too few sites for a rule."""
    refuse_few(len(changes), options)
    match options.rule:
        case "mean":
            return mean(changes, options.staleness)
        case "median":
            return by_weight(changes, lambda x_SW: np.median(x_SW, axis=0))
        case "trimmed_mean":
            return by_weight(changes, lambda x_SW: trimmed(x_SW, options.trim))
        case "krum":
            return mean([changes[i] for i in krum(changes, options.trim)], options.staleness)


def refuse_few(sites: int, options: Federate) -> None:
    """FederationError where so few sites cannot be told apart by the rule."""
    wrong = wrong_ones(sites, options.trim)
    least = {"mean": 1, "median": 3, "trimmed_mean": 2 * wrong + 1, "krum": 2 * wrong + 3}
    if sites < least[options.rule]:
        raise FederationError(
            f"rule: {options.rule} needs {least[options.rule]} sites that answer in a round, and "
            f"{sites} did; take rule: mean, or bring more sites."
        )


def wrong_ones(sites: int, trim: float) -> int:
    """How many of so many sites are taken to be wrong."""
    return max(1, int(trim * sites))


def mean(changes: Sequence[Change], staleness: float = 0.0) -> Arrays:
    """The mean of each weight's changes by rows (McMahan et al. 2017), older ones counting less."""
    share = {c.site: c.rows * (1.0 + c.age) ** -staleness for c in changes}
    found: Arrays = {}
    for name in names_of(changes):
        some = [c for c in changes if name in c.arrays]
        whole = sum(share[c.site] for c in some)
        parts = [np.float64(share[c.site] / whole) * c.arrays[name] for c in some]
        found[name] = np.sum(parts, axis=0).astype(np.float32)
    return found


def by_weight(changes: Sequence[Change], rule: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    """A rule over the sites that learned a weight, (S, ...) -> (...)."""
    found: Arrays = {}
    for name in names_of(changes):
        x_SW = np.stack([c.arrays[name] for c in changes if name in c.arrays])
        found[name] = rule(x_SW.astype(np.float64)).astype(np.float32)
    return found


def trimmed(x_SW: np.ndarray, trim: float) -> np.ndarray:
    """The mean without the largest and the smallest ones (Yin et al. 2018)."""
    out = wrong_ones(len(x_SW), trim) if len(x_SW) > 2 else 0
    return np.sort(x_SW, axis=0)[out : len(x_SW) - out].mean(axis=0)


def krum(changes: Sequence[Change], trim: float) -> list[int]:
    """Which changes are nearest to all but the farthest others: all but as many as are taken to be
    wrong (Multi-Krum, Blanchard et al. 2017). FederationError where nothing can be compared."""
    count, common = len(changes), set.intersection(*(set(c.arrays) for c in changes))
    if not common:
        raise FederationError("rule: krum compares changes, and sites' have no weight in common.")
    flat = [np.concatenate([c.arrays[n].ravel() for n in sorted(common)]) for c in changes]
    apart_SS = np.array([[np.square(a - b, dtype=np.float64).sum() for b in flat] for a in flat])
    wrong = wrong_ones(count, trim)
    far_S = np.sort(apart_SS, axis=1)[:, 1 : count - wrong - 1].sum(axis=1)
    return sorted(np.argsort(far_S, kind="stable")[: count - wrong].tolist())


def names_of(changes: Sequence[Change]) -> list[str]:
    """Weights that any site learned, in one order."""
    return list(dict.fromkeys(n for c in changes for n in c.arrays))
