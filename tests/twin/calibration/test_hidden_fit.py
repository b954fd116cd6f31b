"""Hidden parameters against Bayesian regression in closed form, and against the truth."""

import numpy as np
import pytest

from jets import NOISE, TRUTH, jet
from modalloy.twin.calibration.fit import HiddenFit, Manner, fit_hidden
from modalloy.twin.calibration.plant_rows import PlantRows
from modalloy.twin.calibration.prior import LEAST_PRECISION, Prior, prior_of
from modalloy.twin.variables import Hidden

ROWS = 40
HIDDEN = {"a": Hidden(low=0, high=4, default=2, deviation=0.8), "b": Hidden(low=-3, high=3)}


class Linear:
    """A plant whose outputs are linear in two hidden parameters, one cell missing."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.slope_NOK, self.off_NO = draw.normal(size=(ROWS, 2, 2)), draw.normal(size=(ROWS, 2))
        h_NK = np.tile([1.2, 0.7], (ROWS, 1))
        self.y_NO = self.simulated(np.arange(ROWS), h_NK)
        self.y_NO += draw.normal(size=(ROWS, 2)) * [0.3, 0.8]
        self.y_NO[3, 0] = np.nan

    def simulated(self, row_M: np.ndarray, h_MK: np.ndarray) -> np.ndarray:
        return self.off_NO[row_M] + np.einsum("mok,mk->mo", self.slope_NOK[row_M], h_MK)

    def fit(self, manner: Manner, part_N: np.ndarray | None = None) -> HiddenFit:
        number_N = np.arange(ROWS)
        part_N = number_N if part_N is None else part_N
        plant = PlantRows(
            "rows", [{}] * ROWS, np.zeros((ROWS, 1)), self.y_NO, ("u", "v"), part_N, number_N, ()
        )
        return fit_hidden(self.simulated, prior_of(HIDDEN), plant, manner)

    def closed_form(self, noise_O: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the parameters with this noise, parts being alike."""
        known_NO = np.isfinite(self.y_NO)
        slope_CK, weight_C = self.slope_NOK[known_NO], noise_O[np.nonzero(known_NO)[1]] ** -2.0
        least = LEAST_PRECISION / 6.0**2  # b is uniform; its default is the middle
        precision_KK = (slope_CK.T * weight_C) @ slope_CK + np.diag([0.8**-2.0, least])
        right_K = (slope_CK.T * weight_C) @ (self.y_NO - self.off_NO)[known_NO]
        covariance_KK = np.linalg.inv(precision_KK)
        return covariance_KK @ (right_K + np.array([0.8**-2.0 * 2.0, 0.0])), covariance_KK


def in_units(fit: HiddenFit, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Estimate and covariance in the parameters' units."""
    covariance_KK = np.linalg.inv(fit.refined.solved.precision_KK)
    return prior.values(fit.posterior.t_K), covariance_KK * np.outer(prior.width_K, prior.width_K)


@pytest.mark.parametrize("noise", [{"u": 0.3, "v": 0.8}, {"u": 0.3}, {}])
def test_a_linear_twin_is_bayesian_regression(noise: dict[str, float]) -> None:
    plant = Linear(1)
    fit = plant.fit(Manner(noise=noise, spread=False))
    noise_O = fit.refined.scales.noise_O * fit.unit_O
    for o, name in enumerate("uv"):
        assert noise_O[o] == pytest.approx(noise.get(name, (0.3, 0.8)[o]), rel=0.25)
    mean_K, covariance_KK = plant.closed_form(noise_O)
    found_K, found_KK = in_units(fit, prior_of(HIDDEN))
    np.testing.assert_allclose(found_K, mean_K, atol=1e-6)
    np.testing.assert_allclose(found_KK, covariance_KK, atol=1e-6)


def test_noise_that_is_given_and_parts_alike_make_the_interval_normal() -> None:
    plant = Linear(2)
    fit = plant.fit(Manner(noise={"u": 0.3, "v": 0.8}, spread=False))
    mean_K, covariance_KK = plant.closed_form(np.array([0.3, 0.8]))
    half_K = 1.6448536 * np.sqrt(np.diag(covariance_KK))
    prior = prior_of(HIDDEN)
    np.testing.assert_allclose(prior.values(fit.posterior.low_K), mean_K - half_K, atol=1e-4)
    np.testing.assert_allclose(prior.values(fit.posterior.high_K), mean_K + half_K, atol=1e-4)
    wide = plant.fit(Manner(noise={"u": 0.3, "v": 0.8}, spread=False, confidence=0.99))
    assert (wide.posterior.low_K < fit.posterior.low_K).all()


def test_rows_of_one_part_say_how_parts_differ() -> None:
    plant, draw = Linear(3), np.random.default_rng(0)
    part_N = np.arange(ROWS) // 2
    off_PK = draw.normal(size=(ROWS // 2, 2)) * [0.7, 0.0]
    plant.y_NO += np.einsum("nok,nk->no", plant.slope_NOK, off_PK[part_N])
    p = plant.fit(Manner(), part_N).posterior
    assert p.spread_low_K[0] * 4.0 < off_PK[:, 0].std() < p.spread_high_K[0] * 4.0
    assert (p.spread_low_K > 0.0).tolist() == [True, False]
    few = plant.fit(Manner(), np.arange(ROWS) // 10)  # four parts
    assert (few.posterior.spread_high_K == 0.0).all()


@pytest.mark.parametrize("spread", [(0.0, 0.0), (0.1, 0.05)])
def test_intervals_hold_the_truth_of_a_twin_that_is_not_linear(
    spread: tuple[float, float],
) -> None:
    prior, held, spreads, noises = None, [], [], []
    for seed in range(9):
        one = jet(seed, spread=spread)
        prior = prior_of(one.twin.hidden)
        fit = fit_hidden(one.simulated, prior, one.plant, Manner(seed=seed))
        p = fit.posterior
        low_K, high_K = prior.values(p.low_K), prior.values(p.high_K)
        held += [*((low_K <= TRUTH) & (high_K >= TRUTH))]
        spreads.append(p.spread_K * prior.width_K)
        noises.append(fit.refined.scales.noise_O * fit.unit_O)
        assert fit.refined.settled
    assert np.mean(held) >= 0.75  # of 18 at 0.9: fewer than 14 would be one chance in 35
    np.testing.assert_allclose(np.median(spreads, axis=0), spread, atol=0.02)
    assert (np.mean(noises, axis=0) < 1.05 * NOISE).all()  # spread is not taken for noise
    if spread == (0.0, 0.0):
        np.testing.assert_allclose(np.mean(noises, axis=0), NOISE, rtol=0.15)


def test_starts_and_seed_decide_where_fits_begin() -> None:
    one = jet(0, rows=20)
    prior = prior_of(one.twin.hidden)
    fits = [
        fit_hidden(one.simulated, prior, one.plant, Manner(starts=starts, seed=seed, spread=False))
        for starts, seed in ((1, 0), (3, 0), (3, 1))
    ]
    runs = [fit.runs for fit in fits]
    assert runs[0] < runs[1]
    estimates = [fit.posterior.t_K for fit in fits]
    np.testing.assert_allclose(estimates[1], estimates[0], atol=1e-3)
    assert not np.array_equal(estimates[1], estimates[2])
    np.testing.assert_allclose(estimates[1], estimates[2], atol=1e-3)


def test_several_starts_find_what_one_misses() -> None:
    """Outputs with waves in the hidden parameter: a fit from the default ends in the wrong one."""
    draw = np.random.default_rng(0)
    x_N = draw.uniform(0.5, 1.5, 30)

    def simulated(row_M: np.ndarray, h_MK: np.ndarray) -> np.ndarray:
        return np.sin(h_MK[:, 0] * x_N[row_M])[:, None]

    y_NO = simulated(np.arange(30), np.full((30, 1), 9.0)) + 0.05 * draw.normal(size=(30, 1))
    number_N = np.arange(30)
    plant = PlantRows("rows", [{}] * 30, np.zeros((30, 1)), y_NO, ("y",), number_N, number_N, ())
    prior = prior_of({"w": Hidden(low=1, high=12, default=3)})
    fit = fit_hidden(simulated, prior, plant, Manner(starts=3, spread=False))
    assert prior.values(fit.posterior.t_K) == pytest.approx([9.0], abs=0.1)
