"""What few rows can rule out: by the binomial itself, and on a guard whose rows all stay right."""

from math import comb, inf

import numpy as np
import pytest

from modalloy.answer.agreement.agreement import Compared
from modalloy.answer.agreement.classify import ClassAgreement
from modalloy.answer.golden_rows import verdict
from modalloy.deploy.few_rows import enough, moved, rests_on_outputs, upper
from modalloy.deploy.guard import with_bound


def at_most(rows: int, lost: int, share: float) -> float:
    """Chance that so few rows or fewer are lost where this share is."""
    terms = (comb(rows, k) * share**k * (1 - share) ** (rows - k) for k in range(lost + 1))
    return sum(terms)


@pytest.mark.parametrize(("rows", "lost"), [(5, 0), (90, 0), (90, 1), (300, 7), (20, 19)])
def test_the_bound_leaves_a_chance_of_one_in_twenty(rows: int, lost: int) -> None:
    assert at_most(rows, lost, upper(rows, lost)) == pytest.approx(0.05)


def test_ends_of_the_bound() -> None:
    assert upper(5, 5) == upper(0) == 1.0
    assert upper(1000) == pytest.approx(0.003, abs=1e-5)  # the rule of three
    assert upper(90, -3) == upper(90)


def test_rows_that_are_enough_are_the_fewest() -> None:
    for share in (0.005, 0.02, 0.3):
        rows = enough(share)
        assert rows is not None
        assert upper(rows) <= share < upper(rows - 1)
    assert enough(0.0) is None
    assert enough(1.0) == 1


def test_no_change_in_five_rows_is_no_certainty() -> None:
    lost, most = with_bound("accuracy", (0.0, 0.0), 5)
    assert lost == 0.0
    assert most == pytest.approx(45.07, abs=0.01)
    assert with_bound("rmse", (0.0, 0.0), 5)[1] == most
    one_in_200 = with_bound("accuracy", (0.5, 0.5), 200)
    assert one_in_200[1] == pytest.approx(100 * upper(200, 1))
    assert with_bound("accuracy", (0.1, 9.0), 1000) == (0.1, 9.0)  # the wider of both
    assert with_bound("accuracy", (-4.0, -1.0), 100)[1] == pytest.approx(100 * upper(100))


def test_how_far_certainties_moved() -> None:
    p = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    assert moved({"probability": p}, {"probability": p + 0.02}) == pytest.approx(0.02)
    assert moved({"value": p}, {"value": p + 9}) == 0.0
    words = np.array([np.array([0.9, 0.8]), np.array([0.7])], dtype=object)
    other = np.array([np.array([0.9, 0.5]), np.array([0.7])], dtype=object)
    assert moved({"scores": words}, {"scores": other}) == pytest.approx(0.3)
    assert moved({"scores": words}, {"scores": words[::-1]}) == inf
    assert moved({"probability": p}, {"probability": p * np.nan}) == inf


def test_which_numbers_may_rest_on_their_outputs() -> None:
    agreement = ClassAgreement()
    same = verdict(Compared(np.ones(9, bool), np.zeros(9)), agreement.bound)
    torn = verdict(Compared(np.arange(9) > 0, np.full(9, 0.004)), agreement.bound)
    assert [rests_on_outputs(p, agreement, same, 0.001) for p in ("f32", "bf16", "f16")] == 3 * [
        True
    ]
    assert not rests_on_outputs("int8", agreement, same, 0.0)
    assert not rests_on_outputs(None, agreement, same, 0.0)  # a smaller network
    assert not rests_on_outputs("f16", agreement, same, 0.02)
    assert not rests_on_outputs("f16", agreement, torn, 0.001)
    assert rests_on_outputs("f32", agreement, torn, 0.001)
