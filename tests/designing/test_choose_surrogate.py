"""The surrogate that predicts unseen rows better is chosen, and the figures are told."""

import numpy as np
import pytest

from modalloy.designing.choose import by_folds, choose_surrogate, likelihood
from modalloy.designing.surrogates.deep_ensemble import DeepEnsemble, Learning
from modalloy.designing.surrogates.gaussian_process import GaussianProcess, fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted


def test_a_normal_density_is_as_likely_as_it_can_be() -> None:
    draw = np.random.default_rng(0)
    y_NO = draw.normal(2.0, 3.0, (4000, 2))
    y_NO[5, 1] = np.nan
    said = Predicted(
        y_NO + draw.normal(size=y_NO.shape), np.ones(y_NO.shape), np.zeros(2, dtype=bool)
    )
    said.mean_NO[5, 1] = 0.0
    assert likelihood(said, y_NO) == pytest.approx(-np.log(2 * np.pi * np.e), abs=0.05)


def test_folds_predict_rows_that_were_not_seen() -> None:
    draw = np.random.default_rng(1)
    u_ND = draw.random((60, 2))
    y_NO = draw.normal(size=(60, 1))  # nothing can be learned of it

    def fit(u_MD: np.ndarray, y_MO: np.ndarray) -> GaussianProcess:
        assert len(u_MD) == 48
        return fit_gaussian_process(u_MD, y_MO, seed=0, attempts=1)

    said = by_folds(fit, u_ND, y_NO, seed=0)
    assert np.isfinite(said.mean_NO).all()
    assert abs(np.corrcoef(said.mean_NO[:, 0], y_NO[:, 0])[0, 1]) < 0.5


@pytest.mark.parametrize("smooth", [True, False])
def test_the_likelier_surrogate_is_chosen(smooth: bool) -> None:
    draw = np.random.default_rng(2)
    u_ND = draw.random((200, 2))
    scatter_N = 0.0 if smooth else np.where(u_ND[:, 0] > 0.5, 1.0, 0.005)
    y_NO = (u_ND[:, 0] * u_ND[:, 1] + scatter_N * draw.normal(size=200))[:, None]
    chosen = choose_surrogate(u_ND, y_NO, seed=0, learning=Learning(epochs=50))
    # A process takes noise to be the same everywhere; members say it of each place.
    assert isinstance(chosen.surrogate, GaussianProcess if smooth else DeepEnsemble)
    assert chosen.kind == ("gaussian process" if smooth else "deep ensemble")
    assert (chosen.compared["gaussian process"] > chosen.compared["deep ensemble"]) == smooth
    assert chosen.left_out.mean_NO.shape == y_NO.shape


def test_few_rows_get_a_process_alone() -> None:
    u_ND = np.random.default_rng(3).random((40, 2))
    chosen = choose_surrogate(u_ND, u_ND.sum(1, keepdims=True), seed=0)
    assert [*chosen.compared] == ["gaussian process"]
