"""The exact process agrees with scikit-learn's, and its leave-one-out with leaving rows out."""

import time

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from modalloy.designing.problem import Rows
from modalloy.designing.stand_in import fit_surrogate
from modalloy.designing.surrogates.gaussian_process import (
    GaussianProcess,
    condition,
    fit_gaussian_process,
    leave_one_out_of,
)
from modalloy.designing.surrogates.kernel import Kernel, log_posterior, log_prior, matern
from modalloy.designing.surrogates.surrogate import linked
from modalloy.errors import DesignError


def rows(count: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Designs and two outputs: a smooth sum, and a positive product that spans decades."""
    draw = np.random.default_rng(seed)
    u_ND = draw.random((count, columns))
    plain_N = np.sin(4 * u_ND[:, 0]) + u_ND[:, 1] ** 2 - u_ND[:, 2] * u_ND[:, 0]
    return u_ND, np.stack([plain_N, np.exp(3 * u_ND[:, 0] + 2 * u_ND[:, 1] * u_ND[:, 2])], axis=1)


KERNEL = Kernel(torch.tensor([0.7, 1.3, 2.0, 5.0], dtype=torch.float64), 1.7, 0.003, 0.4)


def test_it_agrees_with_scikit_learn() -> None:
    u_ND, y_NO = rows(60, 4)
    y_N = y_NO[:, 0]
    ours = condition(KERNEL, torch.from_numpy(u_ND), torch.from_numpy(y_N), 0.0, 1.0)
    fitted = GaussianProcess([ours], np.zeros(1, dtype=bool), np.ones((60, 1), dtype=bool))
    other = GaussianProcessRegressor(
        ConstantKernel(1.7) * Matern(KERNEL.length_D.numpy(), nu=2.5) + WhiteKernel(0.003),
        optimizer=None,
        alpha=0.0,
    ).fit(u_ND, y_N - 0.4)
    new_MD = np.random.default_rng(1).random((40, 4))
    mean_M, deviation_M = other.predict(new_MD, return_std=True)
    said = fitted.predict(new_MD)
    np.testing.assert_allclose(said.mean_NO[:, 0], mean_M + 0.4, atol=1e-6)
    np.testing.assert_allclose(said.deviation_NO[:, 0], deviation_M, atol=1e-6)


def test_leave_one_out_is_what_leaving_rows_out_gives() -> None:
    u_ND, y_NO = rows(30, 4)
    x_ND, t_N = torch.from_numpy(u_ND), torch.from_numpy(y_NO[:, 0])
    mean_N, deviation_N = leave_one_out_of(condition(KERNEL, x_ND, t_N, 0.2, 1.5))
    for i in range(30):
        rest = torch.arange(30) != i
        one = condition(KERNEL, x_ND[rest], t_N[rest], 0.2, 1.5)
        fitted = GaussianProcess([one], np.zeros(1, dtype=bool), np.ones((29, 1), dtype=bool))
        said = fitted.predict(u_ND[i : i + 1])
        assert said.mean_NO[0, 0] == pytest.approx(float(mean_N[i]), abs=1e-9)
        assert said.deviation_NO[0, 0] == pytest.approx(float(deviation_N[i]), abs=1e-9)


def test_the_slope_of_the_posterior_is_that_of_automatic_differentiation() -> None:
    u_ND, y_NO = rows(25, 4)
    x_ND, y_N = torch.from_numpy(u_ND), torch.from_numpy(y_NO[:, 0])
    p_P = torch.tensor([0.1, -0.4, 0.6, 1.0, 0.3, -4.0], dtype=torch.float64)
    value, slope_P = log_posterior(p_P, x_ND, y_N)

    q_P = p_P.clone().requires_grad_()
    scaled_ND = x_ND / q_P[:4].exp()
    off_NND = scaled_ND[:, None] - scaled_ND[None]
    eye_NN = torch.eye(25, dtype=torch.float64)
    k_NN = q_P[4].exp() * (matern((off_NND**2).sum(-1)) + q_P[5].exp() * eye_NN)
    inverse_NN = torch.linalg.inv(k_NN)
    mean = (inverse_NN @ y_N).sum() / inverse_NN.sum()
    slow = -0.5 * (y_N - mean) @ inverse_NN @ (y_N - mean) - 0.5 * torch.logdet(k_NN)
    slow = slow + log_prior(q_P)[0]
    slow.backward()
    assert value == pytest.approx(float(slow.detach()), abs=1e-9)
    assert q_P.grad is not None
    np.testing.assert_allclose(slope_P.numpy(), q_P.grad.numpy(), atol=1e-8)


def test_it_learns_and_knows_how_well() -> None:
    u_ND, y_NO = rows(150, 6)
    new_MD, truth_MO = rows(400, 6, seed=1)
    fitted = fit_gaussian_process(u_ND, y_NO, seed=0)
    assert fitted.log_O.tolist() == [False, True]  # the product is a sum in its logarithm
    said = fitted.predict(new_MD)
    off_MO = linked(truth_MO, fitted.log_O) - said.mean_NO
    spread_O = linked(truth_MO, fitted.log_O).std(0)
    assert (off_MO.std(0) / spread_O < 0.03).all()
    inside_O = (np.abs(said.normalised(truth_MO)) < 1.645).mean(0)
    assert (inside_O > 0.9).all()


def test_it_knows_how_far_runs_of_one_design_differ() -> None:
    u_ND, y_NO = rows(300, 4)
    new_MD, truth_MO = rows(1000, 4, seed=1)
    draw = np.random.default_rng(5)
    noisy_N1, new_M1 = (y[:, :1] + draw.normal(0, 0.2, (len(y), 1)) for y in (y_NO, truth_MO))
    fitted = fit_gaussian_process(u_ND, noisy_N1, seed=0, logs=[False])
    said = fitted.predict(new_MD)
    assert said.deviation_NO.mean() == pytest.approx(0.2, abs=0.04)
    assert (np.abs(said.normalised(new_M1)) < 1.645).mean() == pytest.approx(0.9, abs=0.04)
    assert fitted.leave_one_out().normalised(noisy_N1).std() == pytest.approx(1.0, abs=0.15)


def test_the_logarithm_is_taken_only_where_it_is_likelier() -> None:
    u_ND, y_NO = rows(120, 4)
    shifted_NO = np.stack([y_NO[:, 0] + 5.0, y_NO[:, 1]], axis=1)
    fitted = fit_gaussian_process(u_ND, shifted_NO, seed=0)
    assert fitted.log_O.tolist() == [False, True]
    forced = fit_gaussian_process(u_ND, shifted_NO, seed=0, logs=[True, False])
    assert forced.log_O.tolist() == [True, False]
    right = fitted.leave_one_out().log_density(shifted_NO).mean(0)
    wrong = forced.leave_one_out().log_density(shifted_NO).mean(0)
    assert (right > wrong).all()


def test_a_value_without_a_logarithm_is_never_dropped_in_silence() -> None:
    u_ND, y_NO = rows(60, 4)
    y_NO = y_NO[:, 1:]
    fitted = fit_gaussian_process(u_ND, y_NO, seed=0)
    assert fitted.log_O.tolist() == [True]
    later_NO = y_NO.copy()
    later_NO[50:52] = [[0.0], [-1.0]]
    with pytest.raises(DesignError, match="2 rows have an output of 0 or less"):
        fitted.given(u_ND, later_NO)
    with pytest.raises(DesignError, match="2 rows have an output of 0 or less"):
        fit_gaussian_process(u_ND, later_NO, seed=0, logs=[True])
    chosen = fit_surrogate(Rows(u_ND, later_NO), kind="gaussian process", fitted=40, seed=0)
    assert chosen.surrogate.log_O.tolist() == [False]  # though the first 40 are all above 0
    assert np.isfinite(chosen.left_out.normalised(later_NO)).all()
    told = fit_gaussian_process(u_ND, y_NO, seed=0, positive=[False])
    assert told.log_O.tolist() == [False]


def test_a_row_without_a_value_teaches_only_the_other_outputs() -> None:
    u_ND, y_NO = rows(80, 4)
    y_NO[3, 0] = np.nan
    fitted = fit_gaussian_process(u_ND, y_NO, seed=0)
    loo = fitted.leave_one_out()
    assert np.isnan(loo.mean_NO[3]).tolist() == [True, False]
    assert np.isfinite(np.delete(loo.mean_NO, 3, axis=0)).all()
    assert [len(one.x_ND) for one in fitted.outputs] == [79, 80]
    y_NO[5:, 1] = np.nan
    y_NO[:2, 1] = np.nan
    with pytest.raises(DesignError, match="a value in 3 rows"):
        fit_gaussian_process(u_ND, y_NO, seed=0)


def test_further_rows_make_it_surer_where_they_are() -> None:
    u_ND, y_NO = rows(80, 4)
    fitted = fit_gaussian_process(u_ND, y_NO, seed=0)
    new_MD, new_MO = rows(5, 4, seed=2)
    more = fitted.given(np.concatenate([u_ND, new_MD]), np.concatenate([y_NO, new_MO]))
    before, after = fitted.predict(new_MD), more.predict(new_MD)
    assert (after.deviation_NO < before.deviation_NO).all()
    again = fitted.given(u_ND, y_NO).predict(new_MD)
    np.testing.assert_allclose(again.mean_NO, before.mean_NO, atol=1e-9)


def test_the_same_seed_gives_the_same_process_and_other_options_another() -> None:
    u_ND, y_NO = rows(90, 4)
    new_MD, _ = rows(20, 4, seed=3)
    plain = fit_gaussian_process(u_ND, y_NO, seed=0)

    def differs(other: GaussianProcess) -> float:
        return float(np.abs(other.predict(new_MD).mean_NO - plain.predict(new_MD).mean_NO).max())

    assert differs(fit_gaussian_process(u_ND, y_NO, seed=0)) == 0.0
    assert differs(fit_gaussian_process(u_ND, y_NO, seed=0, rows=40)) > 0.0
    assert differs(fit_gaussian_process(u_ND, y_NO, seed=0, attempts=1)) > 0.0
    assert differs(fit_gaussian_process(u_ND, y_NO, seed=0, logs=[False, False])) > 0.0


def test_designs_have_gradients() -> None:
    u_ND, y_NO = rows(60, 4)
    fitted = fit_gaussian_process(u_ND, y_NO, seed=0)
    v_MD = torch.from_numpy(rows(3, 4, seed=4)[0]).requires_grad_()
    mean_MO, deviation_MO = fitted.posterior(v_MD)
    (slope_MD,) = torch.autograd.grad((mean_MO + deviation_MO).sum(), v_MD)
    step = 1e-6
    for d in range(4):
        up_MD = v_MD.detach().clone()
        up_MD[:, d] += step
        up = sum(part.sum() for part in fitted.posterior(up_MD))
        down_MD = v_MD.detach().clone()
        down_MD[:, d] -= step
        down = sum(part.sum() for part in fitted.posterior(down_MD))
        numeric = float(up - down) / (2.0 * step)
        assert float(slope_MD[:, d].sum()) == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_a_thousand_rows_take_seconds() -> None:
    u_ND, y_NO = rows(1000, 16)
    began = time.process_time()
    fitted = fit_gaussian_process(u_ND, y_NO[:, :1], seed=0)
    fitted.predict(u_ND[:200])
    assert time.process_time() - began < 15.0
