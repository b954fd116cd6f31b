"""A surrogate that knows what was hidden in each run says how far a design's runs scatter."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import modalloy as ma
from modalloy.designing.problem import Rows
from modalloy.designing.surrogates.over_hidden import Unseen, fit_over_hidden

SCATTER = {  # a depth whose scatter a calm setting makes small
    "name": "scatter",
    "variables": {
        "push": {"type": "continuous", "low": 0.5, "high": 1.5},
        "calm": {"type": "continuous", "low": 0.0, "high": 1.0},
    },
    "hidden": {"luck": {"low": -3.0, "high": 3.0, "default": 0.0, "deviation": 1.0}},
    "outputs": {"depth": {"type": "number", "unit": "mm"}},
    "simulator": {"type": "python", "use": "scatter_twin.py:simulate"},
}
CODE = """
def simulate(values, *, seed, folder):
    spread = 0.02 + 0.18 * (1 - values["calm"])
    return {"depth": values["push"] * (1 - 0.2 * values["calm"]) + spread * values["luck"]}
"""


def spread_of(u_ND: np.ndarray) -> np.ndarray:
    return 0.5 + 2.0 * u_ND[:, 1]


@pytest.fixture(scope="module")
def toy() -> tuple[Rows, Unseen]:
    draw = np.random.default_rng(0)
    u_ND, h_NH = draw.random((60, 2)), draw.random((60, 1))
    y_N = u_ND[:, 0] + spread_of(u_ND) * (h_NH[:, 0] - 0.5)
    points_SH = ((np.arange(64) + 0.5) / 64)[:, None]
    return Rows(u_ND, y_N[:, None]), Unseen(h_NH, points_SH)


@pytest.mark.parametrize("kind", ["gaussian process", "deep ensemble"])
def test_the_deviation_is_that_of_the_law(toy: tuple[Rows, Unseen], kind) -> None:
    found = fit_over_hidden(*toy, kind=kind, fitted=60, seed=0)
    u_ND = np.random.default_rng(1).random((150, 2))
    said = found.surrogate.predict(u_ND)
    close = {"gaussian process": 0.03, "deep ensemble": 0.3}[kind]
    np.testing.assert_allclose(said.mean_NO[:, 0], u_ND[:, 0], atol=close)
    true_N = spread_of(u_ND) / np.sqrt(12.0)
    np.testing.assert_allclose(said.deviation_NO[:, 0], true_N, rtol=0.1 if close < 0.1 else 0.8)
    z_N = found.left_out.normalised(toy[0].y_NO)[:, 0]
    assert 0.7 < z_N.std() < 1.3
    assert found.kind == kind


def test_it_can_be_followed_downhill(toy: tuple[Rows, Unseen]) -> None:
    over = fit_over_hidden(*toy, kind="gaussian process", fitted=60, seed=0).surrogate
    u_ND = torch.tensor([[0.4, 0.3]], dtype=torch.float64, requires_grad=True)
    _, deviation_NO = over.posterior(u_ND)
    (slope_ND,) = torch.autograd.grad(deviation_NO.sum(), u_ND)
    assert slope_ND[0, 1] == pytest.approx(2.0 / np.sqrt(12.0), rel=0.1)
    assert abs(float(slope_ND[0, 0])) < 0.1


def test_a_search_finds_designs_that_bear_what_is_hidden(tmp_path: Path) -> None:
    """Where calm is 0 no push keeps the window, however good one run of it was."""
    (tmp_path / "scatter.yaml").write_text(json.dumps(SCATTER))
    (tmp_path / "scatter_twin.py").write_text(CODE)
    asked = {
        "twin": str(tmp_path / "scatter.yaml"),
        "maximise": ["push"],
        "such_that": ["0.85 mm <= depth <= 1.15 mm"],
        "planned": 80,
        "batch": 20,
        "proposals": 10,
        "budget": 120,
        "surrogate": "gaussian process",
    }
    found = ma.design(asked, out=tmp_path / "study", workers=1, quiet=True)
    best = found.facts["accepted"][0]["values"]
    draw = np.random.default_rng(5)
    spread = 0.02 + 0.18 * (1 - best["calm"])
    depth_N = best["push"] * (1 - 0.2 * best["calm"]) + spread * draw.standard_normal(20_000)
    share = float(((depth_N >= 0.85) & (depth_N <= 1.15)).mean())
    assert share >= 0.95
    assert best["push"] > 1.25
    assert found.records.last("train").facts["scores"]["depth"]["r2"] is not None
