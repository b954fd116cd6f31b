"""Noise and spread against a search of the dense density, and intervals against chance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from modalloy.twin.calibration.likely_scales import ScaleFit
from modalloy.twin.calibration.mixed_model import gather

PRECISION_K = np.array([4.0, 1e-3])


def rows(seed: int, spread: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w, slopes and parts of a plant whose noise is 0.05 and 0.2."""
    draw = np.random.default_rng(seed)
    part_N = np.repeat(np.arange(25), 2)
    slope_NOK = draw.normal(size=(50, 2, 2))
    at_NK = np.array([0.2, -0.1]) + (draw.normal(size=(25, 2)) * spread)[part_N]
    noise_NO = draw.normal(size=(50, 2)) * [0.05, 0.2]
    return np.einsum("nok,nk->no", slope_NOK, at_NK) + noise_NO, slope_NOK, part_N


def fit_of(seed: int, between: tuple[float, float], **given: object) -> ScaleFit:
    w_NO, slope_NOK, part_N = rows(seed, between)
    fit = ScaleFit(gather(w_NO, slope_NOK, part_N), np.zeros(2), PRECISION_K, {}, True)
    return replace(fit, **given)


def test_scales_are_the_likeliest_of_the_dense_density() -> None:
    w_NO, slope_NOK, part_N = rows(0, (0.1, 0.3))
    slope_CK, w_C, part_C = slope_NOK.reshape(-1, 2), w_NO.ravel(), np.repeat(part_N, 2)

    def cost(log_N: np.ndarray) -> float:
        noise_C, spread_K = np.tile(np.exp(log_N[:2]), 50), np.exp(log_N[2:])
        whole_CC = np.diag(noise_C**2) + (slope_CK / PRECISION_K) @ slope_CK.T
        same_CC = part_C[:, None] == part_C
        whole_CC += same_CC * ((slope_CK * spread_K**2) @ slope_CK.T)
        density = np.linalg.slogdet(whole_CC)[1] + w_C @ np.linalg.solve(whole_CC, w_C)
        return density + 2.0 * spread_K.sum()

    slow = minimize(
        cost,
        np.log([0.1, 0.1, 0.2, 0.2]),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000},
    )
    found = fit_of(0, (0.1, 0.3)).likeliest()
    np.testing.assert_allclose(np.r_[found.noise_O, found.spread_K], np.exp(slow.x), rtol=1e-3)


def test_known_noise_and_parts_that_are_alike_stay_so() -> None:
    found = fit_of(0, (0.1, 0.3), known={1: 0.25}).likeliest()
    assert found.noise_O[1] == pytest.approx(0.25)
    assert found.noise_O[0] == pytest.approx(0.05, rel=0.5)
    alike = fit_of(0, (0.1, 0.3), spread=False).likeliest()
    assert (alike.spread_K == 0.0).all()
    assert alike.noise_O[0] > 2.0 * found.noise_O[0]  # noise has to explain what parts differ by


def test_the_same_scales_from_a_start_far_away() -> None:
    fit = fit_of(3, (0.1, 0.3))
    best = fit.likeliest()
    far = fit.likeliest(best._replace(noise_O=best.noise_O * 20.0, spread_K=np.zeros(2)))
    np.testing.assert_allclose(far.spread_K, best.spread_K, rtol=1e-3)


def test_intervals_of_spread_hold_the_truth() -> None:
    inside = []
    for seed in range(20):
        fit = fit_of(seed, (0.1, 0.0))
        best = fit.likeliest()
        low, high = fit.spread_interval(0, best, 0.9)
        none, some = fit.spread_interval(1, best, 0.9)
        assert low <= best.spread_K[0] <= high
        inside.append((low <= 0.1 <= high, none == 0.0 < some))
    held, zero = np.mean(inside, axis=0)
    assert held >= 0.75  # of 20, at 0.9: fewer than 15 would be one chance in 90
    assert zero >= 0.75


def test_a_spread_that_nothing_tells_reaches_all_over() -> None:
    w_NO, slope_NOK, part_N = rows(0, (0.1, 0.0))
    slope_NOK[:, :, 1] = 0.0
    fit = ScaleFit(gather(w_NO, slope_NOK, part_N), np.zeros(2), PRECISION_K, {}, True)
    best = fit.likeliest()
    assert best.spread_K[1] == 0.0
    assert fit.spread_interval(1, best, 0.9) == (0.0, 1.0)
