"""A trained run stands in for a simulator, with deviations as large as its errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conftest import make_job
from modalloy.answer.predictor import Predictor
from modalloy.designing.surrogates.of_run import surrogate_of_run
from modalloy.errors import DesignError
from modalloy.job.job_file import load_job
from untrained import untrained

TASKS = {
    "plain": {"type": "regress", "target": "plain"},
    "sure": {"type": "regress", "target": "sure", "quantiles": [0.1, 0.5, 0.9]},
    "kind": {"type": "classify", "target": "kind"},
}
COLUMNS = {"a": {"type": "number"}, "b": {"type": "number"}, "machine": {"type": "group"}}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("run")
    draw = np.random.default_rng(0)
    a_N, b_N = draw.random(80), draw.random(80)
    frame = pd.DataFrame({"a": a_N, "b": b_N, "machine": [f"m{i % 8}" for i in range(80)]})
    frame["plain"] = 3.0 * a_N + draw.normal(0, 0.1, 80)
    frame["sure"] = 5.0 - b_N + draw.normal(0, 0.1, 80)
    frame["kind"] = np.where(a_N > b_N, "x", "y")
    table = folder / "rows.parquet"
    frame.to_parquet(table)
    job = load_job(make_job(table, columns=()) | {"columns": COLUMNS, "tasks": TASKS})
    return Predictor(untrained(folder / "run", table, job=job, steps=30))


def cells(u_ND: np.ndarray) -> Sequence[Mapping[str, Any]]:
    return [{"a": float(a), "b": float(b)} for a, b in u_ND]


def test_answers_are_those_of_the_run_and_deviations_its_errors(predictor: Predictor) -> None:
    draw = np.random.default_rng(1)
    u_ND = draw.random((60, 2))
    y_NO = np.stack([3.0 * u_ND[:, 0], 5.0 - u_ND[:, 1]], axis=1)
    y_NO[3, 0] = np.nan
    fitted = surrogate_of_run(predictor, ("plain", "sure"), cells, u_ND, y_NO)
    said = fitted.predict(u_ND)
    asked = predictor.answers(list(cells(u_ND)))
    np.testing.assert_allclose(said.mean_NO[:, 0], asked["plain"]["value"])
    np.testing.assert_allclose(said.mean_NO[:, 1], asked["sure"]["value"])
    assert np.ptp(said.deviation_NO[:, 0]) == 0.0  # it says no quantiles: its error everywhere
    off_N = np.delete(said.mean_NO[:, 0] - y_NO[:, 0], 3)
    assert said.deviation_NO[0, 0] == pytest.approx(np.sqrt((off_N**2).mean()))
    assert np.ptp(said.deviation_NO[:, 1]) > 0.0
    z_NO = said.normalised(y_NO)
    np.testing.assert_allclose(np.sqrt(np.nanmean(z_NO**2, axis=0)), 1.0)


def test_what_cannot_be_asked_is_told(predictor: Predictor) -> None:
    u_ND, y_NO = np.full((6, 2), 0.5), np.ones((6, 1))
    with pytest.raises(DesignError, match="'kind' is no task of numbers of this run; it has plain"):
        surrogate_of_run(predictor, ("kind",), cells, u_ND, y_NO)
    with pytest.raises(DesignError, match="2 rows that the run has not learned from"):
        surrogate_of_run(predictor, ("plain",), cells, u_ND[:2], y_NO[:2])
