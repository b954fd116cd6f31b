"""Cells with a whole number from 0 up in; what its distribution is learned from out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.numbers import to_numbers
from modalloy.errors import TableError
from modalloy.readers.targets.regress import NumberTarget

LARGEST_COUNT = 10_000
ATOMS = 64  # numbers at most that get a chance of their own


@dataclass(frozen=True)
class CountTarget(NumberTarget):
    """A count, standardised as any number is, and which counts the training rows hold.

    atoms: counts that `empirical` gives chances to, rising: all that were seen, or as many as
    `ATOMS` of them. shares: of training rows nearest to each. most: the largest count seen.
    """

    kind: ClassVar[str] = "counts"
    atoms: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    most: int = 0

    @classmethod
    def seen(cls, name: str, options: Any, cells: Cells) -> Self:
        """As `NumberTarget.seen`; TableError for what is no count."""
        made = super().seen(name, options, cells)
        y = to_numbers(cells[options.target], cells.decimal)
        y = y[np.isfinite(y)]
        atoms, shares = atoms_of(*np.unique(y, return_counts=True))
        return replace(made, atoms=atoms, shares=shares, most=int(y.max()))

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """The counts of all sites, each by how many rows it has."""
        blank = [replace(r, atoms=(), shares=(), most=0) for r in fitted]
        first = super().together(blank, rows)
        every = sorted({a for r in fitted for a in r.atoms})
        by_site = [dict(zip(r.atoms, r.shares, strict=True)) for r in fitted]
        shares = [
            sum(n * own.get(a, 0.0) for own, n in zip(by_site, rows, strict=True)) for a in every
        ]
        found = atoms_of(np.array(every), np.array(shares))
        return replace(first, atoms=found[0], shares=found[1], most=max(r.most for r in fitted))

    def _scaled(self, cells: Cells) -> np.ndarray:
        y = super()._scaled(cells)
        refuse_no_counts(self.name, self.column, y[np.isfinite(y)])
        return y

    def told(self, name: str, options: Any, answer: Any) -> dict[str, Any]:
        """The mean, the chance of zero, whole quantiles, how many to have where there is an order,
        and the whole numbers of the interval.
        """
        found: dict[str, Any] = {name: np.asarray(answer["value"])}
        found[f"{name}.zero"] = np.asarray(answer["zero"])
        for q, quantile in enumerate(options.quantiles):
            found[f"{name}.q[{quantile}]"] = np.asarray(answer["quantiles"][:, q])
        if options.order is not None:
            found[f"{name}.order_up_to"] = np.asarray(answer["level"])
        if "low" in answer:  # the whole numbers of an interval are those between its rounded ends
            found[f"{name}.low"] = np.ceil(answer["low"])
            found[f"{name}.high"] = np.floor(answer["high"])
        return found


def refuse_no_counts(name: str, column: str, y_N: np.ndarray) -> None:
    """TableError for a number that is negative, has a fraction, or is too large to count."""
    for wrong_N, what in (
        (y_N < 0, "which is below 0"),
        (y_N != np.floor(y_N), "which is no whole number"),
        (y_N > LARGEST_COUNT, f"which is above {LARGEST_COUNT}"),
    ):
        if wrong_N.any():
            raise TableError(
                f"column '{column}' holds {y_N[wrong_N][0]:g}, {what} ({wrong_N.sum()} such rows), "
                f"and task {name} has a distribution of counts: correct such cells, or set "
                "distribution: none"
            )


def atoms_of(count_C: np.ndarray, rows_C: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """At most `ATOMS` of these rising counts, and the share of rows nearest to each.

    count_C: the counts. rows_C: how many rows have each. Small counts stay; between larger ones
    the steps grow evenly by logarithm, and the largest stays.
    """
    if len(count_C) > ATOMS:
        steps = np.geomspace(1.0, len(count_C), 4 * ATOMS).round().astype(int) - 1
        picked = np.unique(steps)
        while len(picked) > ATOMS:  # the closest pair by logarithm loses its first
            gap = np.diff(np.log1p(count_C[picked]))
            picked = np.delete(picked, 1 + int(gap[1:].argmin()) if len(picked) > 2 else 0)
        atom_A = count_C[picked]
    else:
        atom_A = count_C
    share_A = np.bincount(nearest(atom_A, count_C), rows_C, len(atom_A))
    share_A = share_A / share_A.sum()
    return tuple(int(a) for a in atom_A), tuple(float(s) for s in share_A)


def nearest(atom_A: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    """Position of the atom nearest to each number, the lower one of two, (N,)."""
    middle = (atom_A[1:] + atom_A[:-1]) / 2.0
    return np.searchsorted(middle, y_N, side="left")
