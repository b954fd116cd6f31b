"""The surrogate that predicts unseen rows better is chosen, and the figures are told."""

import numpy as np
import pytest

from modalloy.designing.choose import by_folds, choose_surrogate, score_of
from modalloy.designing.surrogates.deep_ensemble import DeepEnsemble, Learning
from modalloy.designing.surrogates.gaussian_process import GaussianProcess, fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted


def test_scores_are_what_they_say() -> None:
    draw = np.random.default_rng(0)
    y_NO = draw.normal(2.0, 3.0, (4000, 2))
    y_NO[5, 1] = np.nan
    said = Predicted(
        y_NO + draw.normal(size=y_NO.shape), np.ones(y_NO.shape), np.zeros(2, dtype=bool)
    )
    said.mean_NO[5, 1] = 0.0
    score = score_of("gaussian process", said, y_NO)
    np.testing.assert_allclose(score.rmse_O, 1.0, atol=0.03)
    np.testing.assert_allclose(score.r2_O, 1.0 - 1.0 / 9.0, atol=0.01)
    np.testing.assert_allclose(score.inside_O, 0.9, atol=0.015)
    np.testing.assert_allclose(score.log_density_O, -0.5 * np.log(2 * np.pi * np.e), atol=0.03)
    lines = score.text(("mass", "f1")).splitlines()
    assert lines[0].startswith("gaussian process, mass: R2 0.8")
    assert len(lines) == 2


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
    assert [score.kind for score in chosen.scores] == ["gaussian process", "deep ensemble"]
    density = [float(score.log_density_O[0]) for score in chosen.scores]
    assert (density[0] > density[1]) == smooth
    assert chosen.unseen.mean_NO.shape == y_NO.shape


def test_few_rows_get_a_process_alone() -> None:
    u_ND = np.random.default_rng(3).random((40, 2))
    chosen = choose_surrogate(u_ND, u_ND.sum(1, keepdims=True), seed=0)
    assert [score.kind for score in chosen.scores] == ["gaussian process"]
