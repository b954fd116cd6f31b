"""An ensemble learns means and deviations, and its members are plain networks."""

import numpy as np
import pytest
import torch
from torch import nn

from modalloy.designing.surrogates.deep_ensemble import (
    Learning,
    Members,
    centred,
    fit_deep_ensemble,
)
from modalloy.errors import DesignError

SHORT = Learning(epochs=60)


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth output, and a positive one with more noise where the first column is large."""
    draw = np.random.default_rng(seed)
    u_ND = draw.random((count, 3))
    plain_N = np.sin(4 * u_ND[:, 0]) + u_ND[:, 1]
    noisy_N = np.exp(u_ND[:, 1] + draw.normal(size=count) * (0.02 + 0.3 * u_ND[:, 0]))
    return u_ND, np.stack([plain_N, noisy_N], axis=1)


def test_members_are_networks_of_their_own() -> None:
    nets = Members(3, 4, 8, 2, generator=torch.Generator().manual_seed(0))
    x_ND = torch.randn(5, 4, dtype=torch.float64)
    mean_ENO, variance_ENO = nets(x_ND.expand(3, 5, 4))
    for e in range(3):
        z_NH = x_ND
        for layer in range(3):
            z_NH = z_NH @ nets.weights[layer][e] + nets.biases[layer][e]
            z_NH = nn.functional.silu(z_NH) if layer < 2 else z_NH
        torch.testing.assert_close(mean_ENO[e], z_NH[:, :2])
        torch.testing.assert_close(
            variance_ENO[e], nn.functional.softplus(z_NH[:, 2:]) + 1e-6, rtol=1e-9, atol=1e-9
        )


def test_it_learns_and_knows_where_outputs_scatter() -> None:
    u_ND, y_NO = rows(600)
    new_MD, truth_MO = rows(1000, seed=1)
    fitted = fit_deep_ensemble(u_ND, y_NO, seed=0, logs=[False, True], learning=SHORT)
    said = fitted.predict(new_MD)
    assert ((said.mean_NO[:, 0] - truth_MO[:, 0]).std() / truth_MO[:, 0].std()) < 0.1
    true_M = 0.02 + 0.3 * new_MD[:, 0]
    assert np.corrcoef(said.deviation_NO[:, 1], true_M)[0, 1] > 0.9
    inside = (np.abs(said.normalised(truth_MO)[:, 1]) < 1.645).mean()
    assert inside == pytest.approx(0.9, abs=0.05)
    far = fitted.predict(np.full((1, 3), 4.0)).deviation_NO[0, 0]
    assert far > 3 * said.deviation_NO[:, 0].max()  # members disagree where nothing was learned


def test_options_and_seeds_change_it_and_nothing_else_does() -> None:
    u_ND, y_NO = rows(120)
    few = Learning(epochs=4)

    def mean(**options: object) -> float:
        given: dict = {"seed": 0, "logs": [False, True], "learning": few} | options
        return float(fit_deep_ensemble(u_ND, y_NO, **given).predict(u_ND).mean_NO.sum())

    plain = mean()
    assert mean() == plain
    others = [
        mean(seed=1),
        mean(logs=[False, False]),
        mean(members=3),
        mean(hidden=16),
        mean(bootstrap=True),
        mean(learning=few._replace(epochs=5)),
        mean(learning=few._replace(batch=32)),
        mean(learning=few._replace(rate=0.001)),
        mean(learning=few._replace(decay=0.5)),
    ]
    assert plain not in others
    assert len(set(others)) == len(others)


def test_missing_values_teach_the_other_output_and_too_few_are_told() -> None:
    u_ND, y_NO = rows(60)
    y_NO[::2, 0] = np.nan
    fitted = fit_deep_ensemble(u_ND, y_NO, seed=0, logs=[False, False], learning=Learning(2))
    assert np.isfinite(fitted.predict(u_ND).mean_NO).all()
    y_NO[4:, 0] = np.nan
    with pytest.raises(DesignError, match="a value in 2 rows; an ensemble needs at least 10"):
        fit_deep_ensemble(u_ND, y_NO, seed=0, logs=[False, False])
    with pytest.raises(DesignError, match="rows have an output of 0 or less"):
        fit_deep_ensemble(u_ND, y_NO - y_NO.mean(0), seed=0, logs=[False, True])


def test_what_members_disagree_by_is_what_is_not_known_without_the_noise() -> None:
    u_ND, y_NO = rows(80)
    fitted = fit_deep_ensemble(u_ND, y_NO, seed=0, logs=[False, True], learning=Learning(5))
    x_ND = torch.from_numpy(u_ND)
    with torch.no_grad():
        _, variance_ENO = fitted.members(centred(x_ND).expand(5, *x_ND.shape))
        _, whole_NO = fitted.posterior(x_ND)
    apart_NO = fitted.disagreement(x_ND)
    noise_NO = fitted.scale_O**2 * variance_ENO.mean(0)
    torch.testing.assert_close(apart_NO**2 + noise_NO, whole_NO**2)
    assert (apart_NO > 0).all()
