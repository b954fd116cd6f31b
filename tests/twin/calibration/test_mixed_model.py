"""The mixed model against the dense normal distribution that it stands for."""

import numpy as np
import pytest

from modalloy.twin.calibration.likely_scales import ScaleFit
from modalloy.twin.calibration.mixed_model import Gathered, Scales, gather, part_shifts, solve

SCALES = Scales(np.array([0.05, 0.2]), np.array([0.1, 0.3]))
MEAN_K, PRECISION_K = np.array([0.1, 0.0]), np.array([4.0, 1e-3])


class Rows:
    """Cells as one long vector, with what the model says of them."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.part_N = np.repeat(np.arange(8), 3)
        self.slope_NOK = draw.normal(size=(24, 2, 2))
        self.w_NO = draw.normal(size=(24, 2))
        self.w_NO[draw.random((24, 2)) < 0.2] = np.nan
        cells = np.argwhere(np.isfinite(self.w_NO))
        self.w_C = self.w_NO[tuple(cells.T)]
        self.slope_CK, self.output_C = self.slope_NOK[tuple(cells.T)], cells[:, 1]
        self.part_C = self.part_N[cells[:, 0]]

    def sums(self) -> Gathered:
        return gather(self.w_NO, self.slope_NOK, self.part_N)

    def variance(self, scales: Scales) -> np.ndarray:
        same_CC = self.part_C[:, None] == self.part_C
        between_CC = (self.slope_CK * scales.spread_K**2) @ self.slope_CK.T
        return np.diag(scales.noise_O[self.output_C] ** 2) + same_CC * between_CC

    def cost(self, scales: Scales) -> float:
        """Minus twice the log density with d and b integrated out, but for a constant."""
        prior_CC = (self.slope_CK / PRECISION_K) @ self.slope_CK.T
        whole_CC = self.variance(scales) + prior_CC
        off_C = self.w_C - self.slope_CK @ MEAN_K
        smaller = 2.0 * scales.spread_K.sum()
        return np.linalg.slogdet(whole_CC)[1] + off_C @ np.linalg.solve(whole_CC, off_C) + smaller


@pytest.mark.parametrize("spread", [(0.1, 0.3), (0.0, 0.2), (0.0, 0.0)])
def test_the_mean_is_generalised_least_squares(spread: tuple[float, float]) -> None:
    rows, scales = Rows(0), SCALES._replace(spread_K=np.array(spread))
    found = solve(rows.sums(), scales, MEAN_K, PRECISION_K)

    weighted_CK = np.linalg.solve(rows.variance(scales), rows.slope_CK)
    precision_KK = rows.slope_CK.T @ weighted_CK + np.diag(PRECISION_K)
    mean_K = np.linalg.solve(precision_KK, weighted_CK.T @ rows.w_C + PRECISION_K * MEAN_K)
    np.testing.assert_allclose(found.precision_KK, precision_KK, rtol=1e-10)
    np.testing.assert_allclose(found.shift_K, mean_K, rtol=1e-10)


def test_differences_of_cost_are_those_of_the_density() -> None:
    rows = Rows(1)
    other = Scales(np.array([0.3, 0.1]), np.array([0.2, 0.05]))
    costs = [solve(rows.sums(), s, MEAN_K, PRECISION_K).cost for s in (SCALES, other)]
    assert costs[1] - costs[0] == pytest.approx(rows.cost(other) - rows.cost(SCALES), rel=1e-9)


@pytest.mark.parametrize("precision_K", [PRECISION_K, np.array([400.0, 25.0])])
def test_slopes_are_those_of_the_cost(precision_K: np.ndarray) -> None:
    sums, x_N = Rows(2).sums(), np.log(np.r_[SCALES.noise_O, SCALES.spread_K])

    def cost(at_N: np.ndarray) -> float:
        scales = Scales(np.exp(at_N[:2]), np.exp(at_N[2:]))
        return solve(sums, scales, MEAN_K, precision_K).cost

    found = solve(sums, SCALES, MEAN_K, precision_K)
    steps = 1e-5 * np.eye(4)
    slope_N = [(cost(x_N + step) - cost(x_N - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(
        np.r_[found.slope_noise_O, found.slope_spread_K], slope_N, rtol=1e-5, atol=1e-5
    )


def test_parts_are_their_best_linear_predictions() -> None:
    rows = Rows(3)
    shift_K = np.array([0.2, -0.1])
    found_PK = part_shifts(rows.sums(), SCALES, shift_K)

    off_C = np.linalg.solve(rows.variance(SCALES), rows.w_C - rows.slope_CK @ shift_K)
    for part in range(8):
        own_C = rows.part_C == part
        expected_K = SCALES.spread_K**2 * (rows.slope_CK[own_C].T @ off_C[own_C])
        np.testing.assert_allclose(found_PK[part], expected_K, rtol=1e-9)


def test_a_spread_that_rows_tell_of_two_only_together_is_shared_out_as_the_file_has_it() -> None:
    """Both do the same; the file says that parts differ by .1 in one, by .02 in the other."""
    draw = np.random.default_rng(0)
    slope_NOK = np.repeat(draw.uniform(0.5, 2.0, (120, 1, 1)), 2, axis=2)
    w_NO = slope_NOK[:, :, 0] * draw.normal(0.0, 0.1, (120, 1)) + draw.normal(0, 0.01, (120, 1))
    usual_K = np.array([0.1, 0.02])
    sums = gather(w_NO, slope_NOK, np.arange(120))
    for order in ([0, 1], [1, 0]):
        fit = ScaleFit(sums, np.zeros(2), usual_K[order] ** -2.0, {}, True)
        found_K = fit.likeliest().spread_K[order]
        assert 0.085 <= found_K[0] <= 0.115
        assert found_K[1] <= 0.03
