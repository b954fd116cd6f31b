"""Outputs that follow from a design are known exactly, with slopes."""

import numpy as np
import torch

from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.designing.surrogates.known import with_known


def test_known_outputs_stand_behind_the_learned_ones() -> None:
    u_ND = np.random.default_rng(0).random((40, 3))
    process = fit_gaussian_process(u_ND, u_ND[:, :1] + 1.0, seed=0, attempts=1, logs=[True])

    def values(u_ND: np.ndarray) -> np.ndarray:
        return np.stack([10.0 * u_ND[:, 0], u_ND[:, 1] * u_ND[:, 2] ** 2], axis=1)

    both = with_known(process, values, 3)
    assert both.log_O.tolist() == [True, False, False]
    said = both.predict(u_ND)
    np.testing.assert_array_equal(said.mean_NO[:, 1:], values(u_ND))
    assert (said.deviation_NO[:, 1:] < 1e-7).all()
    np.testing.assert_array_equal(said.mean_NO[:, 0], process.predict(u_ND).mean_NO[:, 0])

    at_ND = torch.tensor([[0.0, 0.5, 1.0], [0.3, 0.2, 0.6]], dtype=torch.float64).requires_grad_()
    mean_NO, _ = both.posterior(at_ND)
    (slope_ND,) = torch.autograd.grad(mean_NO[:, 1].sum() + mean_NO[:, 2].sum(), at_ND)
    expected = [[10.0, 1.0, 1.0], [10.0, 0.36, 0.24]]
    np.testing.assert_allclose(slope_ND.numpy(), expected, atol=1e-4)
