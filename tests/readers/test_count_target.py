"""Counts: what is refused, which numbers get a chance, and what sites have together."""

import numpy as np
import pytest

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.targets.counts import ATOMS, CountTarget, atoms_of, nearest

OPTIONS = config.Regress(target="sold", distribution="empirical")


def fit(cells: list[object]) -> CountTarget:
    return CountTarget.fit("demand", OPTIONS, Cells({"sold": cells}))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (-1, r"column 'sold' holds -1, which is below 0 \(1 such rows\), and task demand has"),
        (1.5, "holds 1.5, which is no whole number"),
        (20_000, "holds 20000, which is above 10000"),
        ("many", "holds 'many', which is no number"),
    ],
)
def test_what_is_no_count_is_refused_in_a_sentence(wrong: object, why: str) -> None:
    with pytest.raises(TableError, match=why):
        fit([0, 1, 2, wrong])
    with pytest.raises(TableError, match=why):  # of rows that nothing is learned from, too
        fit([0, 1, 2, None]).truth(Cells({"sold": [wrong]}))


def test_counts_seen_get_a_chance_each_by_their_share() -> None:
    target = fit([0, 0, 3, None, "1", 0])
    assert (target.atoms, target.most) == ((0, 1, 3), 3)
    assert target.shares == pytest.approx((0.6, 0.2, 0.2))
    assert CountTarget.from_state(target.state()) == target
    read = target.read(Cells({"sold": [3, None]}))
    assert read["y"][0] * target.scale + target.center == pytest.approx(3.0)
    assert read["known"].tolist() == [True, False]


def test_of_many_counts_the_small_ones_and_the_largest_stay() -> None:
    atoms, shares = atoms_of(np.arange(2000), np.ones(2000))
    assert len(atoms) <= ATOMS
    assert atoms[:4] == (0, 1, 2, 3)
    assert atoms[-1] == 1999
    assert sum(shares) == pytest.approx(1.0)
    assert nearest(np.array([0, 1, 4]), np.array([0, 1, 2, 3, 9])).tolist() == [0, 1, 1, 2, 2]


def test_sites_together_have_the_counts_of_all() -> None:
    one, other = fit([0, 0, 1]), fit([0, 4, 4, 4, 4, 4])
    both = CountTarget.together([one, other], [3, 6])
    assert (both.atoms, both.most) == ((0, 1, 4), 4)
    assert both.shares == pytest.approx((3 / 9, 1 / 9, 5 / 9))
    assert both.center == pytest.approx(np.mean([0, 0, 1, 0, 4, 4, 4, 4, 4]))
