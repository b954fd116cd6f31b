"""Epsilon is Opacus', by both ways of reckoning, and noise is as little as it may be."""

import math
import re

import numpy as np
import pytest
from pydantic import ValidationError

from modalloy.errors import JobError
from modalloy.job.private import Private
from modalloy.privacy.accountant import (
    MOST,
    ORDERS,
    epsilon,
    from_rdp,
    noise_for,
    plan,
    prv,
    rdp,
)

CASES = [
    (0.01, 1.0, 1000, 1e-5),
    (0.25, 2.0, 40, 1e-5),
    (0.05, 0.6, 100, 1e-6),
    (1.0, 4.0, 30, 1e-5),
    (0.5, 0.5, 3, 1e-4),
    (0.02, 10.0, 500, 1e-5),
]


@pytest.mark.parametrize(("rate", "multiplier", "steps", "delta"), CASES)
def test_epsilon_is_that_of_opacus(
    rate: float, multiplier: float, steps: int, delta: float
) -> None:
    analysis = pytest.importorskip("opacus.accountants.analysis.rdp")
    given = {"q": rate, "noise_multiplier": multiplier, "orders": list(ORDERS)}
    theirs = analysis.compute_rdp(steps=steps, **given)
    np.testing.assert_allclose(rdp(rate, multiplier, ORDERS) * steps, theirs, rtol=1e-5)
    wanted, _ = analysis.get_privacy_spent(orders=list(ORDERS), rdp=theirs, delta=delta)
    assert epsilon(rate, multiplier, steps, delta) == pytest.approx(wanted, abs=1e-3)


def test_one_gaussian_is_as_the_formula_says() -> None:
    # Without drawing, order a costs a / (2 s^2).
    wanted = min(
        a / 8 - (math.log(1e-5) + math.log(a)) / (a - 1) + math.log1p(-1 / a) for a in ORDERS
    )
    assert epsilon(1.0, 2.0, 1, 1e-5) == pytest.approx(wanted)
    # Almost every unit drawn is nearly the same.
    assert epsilon(1 - 1e-9, 2.0, 1, 1e-5) == pytest.approx(wanted, rel=1e-6)
    assert from_rdp(np.zeros(len(ORDERS)), ORDERS, 0.05) == 0.0
    assert epsilon(0.5, 1.0, 0, 1e-5) == 0.0
    assert epsilon(0.5, 0.0, 1, 1e-5) == math.inf


def test_privacy_loss_itself_asks_for_less_noise() -> None:
    accountants = pytest.importorskip("opacus.accountants")
    theirs = accountants.PRVAccountant()
    theirs.history = [(2.0, 0.25, 10)]
    assert prv(0.25, 2.0, 10, 1e-5) == pytest.approx(theirs.get_epsilon(1e-5), abs=1e-3)
    given = (4.0, 1e-5, 0.25, 10)
    plain, tight = noise_for(*given), noise_for(*given, accountant="prv")
    assert tight < plain
    assert epsilon(0.25, tight, 10, 1e-5, accountant="prv") <= 4.0


@pytest.mark.parametrize("wanted", [0.5, 3.0, 8.0])
def test_noise_is_the_least_that_keeps_epsilon(wanted: float) -> None:
    found = noise_for(wanted, 1e-5, 0.2, 30)
    assert epsilon(0.2, found, 30, 1e-5) <= wanted < epsilon(0.2, 0.998 * found, 30, 1e-5)


def test_a_plan_keeps_what_was_asked_for() -> None:
    found = plan(Private(epsilon=3.0), 5000, 40)
    assert found.epsilon <= 3.0
    assert found.epsilon == pytest.approx(3.0, rel=0.01)
    assert found.delta == 1e-5
    assert found.rate == Private().share
    assert found.facts()["unit"] == "row"
    assert plan(Private(epsilon=3.0), 20_000_000, 40).delta == pytest.approx(5e-9)


def test_an_epsilon_that_cannot_be_met_says_how_many_units_would_do() -> None:
    options = Private(epsilon=0.5, unit="customer")
    with pytest.raises(JobError, match="cannot be met with 30 units of customer") as refused:
        plan(options, 30, 40)
    found = re.search(r"([\d,]+) units would do", str(refused.value))
    assert found is not None
    enough = int(found[1].replace(",", ""))
    kept = options.model_copy(update={"delta": plan(options, enough, 40).delta})
    assert plan(kept, enough, 40).multiplier <= MOST * kept.share * enough
    with pytest.raises(JobError, match="cannot be met"):
        plan(kept, round(0.9 * enough), 40)


def test_a_delta_that_promises_nothing_is_refused() -> None:
    with pytest.raises(JobError, match=r"private.delta: 0.001 lets one of 5000 units"):
        plan(Private(delta=1e-3), 5000, 10)


def test_options_have_bounds() -> None:
    for wrong in ({"epsilon": 0}, {"delta": 0.5}, {"clip": -1}, {"share": 1.5}, {"noise": 1}):
        with pytest.raises(ValidationError):
            Private.model_validate(wrong)
