"""Slopes of a twin by its hidden parameters: inside bounds, around failed runs; rows in a pool."""

from pathlib import Path

import numpy as np
import pytest

from modalloy.errors import TwinError
from modalloy.twin.calibration.prior import prior_of
from modalloy.twin.calibration.trials import STEP, Trials, pooled
from modalloy.twin.runs import RunLimits
from modalloy.twin.simulators.python_function import PythonFunction
from modalloy.twin.variables import Hidden

PRIOR = prior_of({"a": Hidden(low=1, high=3), "b": Hidden(low=0, high=10)})


def curved(row_M: np.ndarray, x_MK: np.ndarray) -> np.ndarray:
    """Two outputs of three rows; the first fails where a is above 2.5."""
    a_M, b_M = x_MK.T
    first_M = np.where(a_M > 2.5, np.nan, (row_M + 1) * a_M**2)
    return np.stack([first_M, a_M * b_M], axis=1)


@pytest.mark.parametrize("central", [False, True])
def test_slopes_are_those_in_units_of_the_bounds(central: bool) -> None:
    trials = Trials(curved, PRIOR, 3)
    t_NK = np.array([[0.25, 0.5], [0.0, 0.0], [0.5, 1.0]])
    found = trials.sloped(t_NK, central=central)

    a_N, b_N = PRIOR.values(t_NK).T
    own_N = np.arange(1, 4)
    expected_NOK = np.empty((3, 2, 2))
    expected_NOK[:, 0] = np.stack([own_N * 2.0 * a_N * 2.0, np.zeros(3)], axis=1)
    expected_NOK[:, 1] = np.stack([b_N * 2.0, a_N * 10.0], axis=1)
    error_NO = np.abs(found.slope_NOK - expected_NOK).max(2)
    # A difference over both sides has no error of a square, over one side it is that of the step.
    inner = (1e-9 if central else 2.0 * 3.0 * STEP * 4.0), 1e-9
    assert (error_NO[[0, 2]] <= inner).all()
    assert (error_NO[1] <= 8.0 * STEP).all()
    np.testing.assert_array_equal(found.f_NO, curved(np.arange(3), PRIOR.values(t_NK)))
    assert trials.runs == 3 * (5 if central else 3)


def test_where_a_side_fails_the_other_one_counts() -> None:
    edge = (2.5 - 1.0) / 2.0
    t_NK = np.full((3, 2), 0.5)
    t_NK[:, 0] = edge - STEP / 2.0
    one, both = (Trials(curved, PRIOR, 3).sloped(t_NK, central=c) for c in (False, True))
    assert np.isnan(one.slope_NOK[:, 0, 0]).all()
    assert both.slope_NOK[:, 0, 0] == pytest.approx(np.arange(1, 4) * 10.0, rel=2e-3)
    assert np.isfinite(both.f_NO).all()


SIMULATOR = """
import random

def simulate(values, *, seed, folder):
    if values["a"] > 2.5:
        raise ValueError("a is too large")
    return {"y": values["x"] * values["a"] + random.Random(seed).random(), "other": "unused"}
"""


def test_rows_run_in_a_pool_with_a_seed_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "line.py").write_text(SIMULATOR)
    use = PythonFunction("line.py:simulate", str(tmp_path))
    limits = RunLimits(retries=0)
    designs = [{"x": 0.0}, {"x": 1.0}]
    found = []
    for seed in (0, 0, 1):
        with pooled(use, limits, designs, ["y"], ["a", "b"], seed=seed, workers=1) as simulated:
            found.append(
                simulated(np.array([0, 0, 1, 1]), np.array([[1, 0], [2, 0], [2, 0], [3, 0]]))[:, 0]
            )
    assert found[0][0] == found[0][1]  # what is random in a row stays as the parameter moves
    assert found[0][2] != found[0][0] + 2.0
    assert np.isnan(found[0]).tolist() == [False, False, False, True]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0][0] != found[2][0]


def test_a_simulator_that_never_succeeds_says_why(tmp_path: Path) -> None:
    (tmp_path / "line.py").write_text(SIMULATOR)
    use, limits = PythonFunction("line.py:simulate", str(tmp_path)), RunLimits(retries=0)
    with (
        pooled(use, limits, [{"x": 0.0}], ["y"], ["a"], seed=0, workers=1) as simulated,
        pytest.raises(TwinError, match=r"none of 2 runs has succeeded. failed: .*a is too large"),
    ):
        simulated(np.zeros(2, dtype=int), np.full((2, 1), 3.0))
