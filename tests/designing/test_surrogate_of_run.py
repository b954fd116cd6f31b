"""A trained run stands in for a simulator, with deviations as large as its errors."""

import numpy as np
import pandas as pd
import pytest

from conftest import make_job
from modalloy.answer.predictor import Predictor
from modalloy.designing.surrogates.corrected import Corrected, correct
from modalloy.designing.surrogates.joined import Joined
from modalloy.designing.surrogates.known import with_known
from modalloy.designing.surrogates.of_run import Answering, surrogate_of_run
from modalloy.designing.surrogates.surrogate import SmoothSurrogate
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


def cells(u_ND: np.ndarray) -> dict[str, list[float]]:
    return {"a": u_ND[:, 0].tolist(), "b": u_ND[:, 1].tolist()}


def asked(predictor: Predictor, *tasks: str, times: float = 1.0, plus: float = 0.0) -> Answering:
    own_O = np.ones(len(tasks))
    return Answering(predictor, tasks, cells, times * own_O, plus * own_O)


def test_answers_are_those_of_the_run_and_deviations_its_errors(predictor: Predictor) -> None:
    draw = np.random.default_rng(1)
    u_ND = draw.random((60, 2))
    y_NO = np.stack([3.0 * u_ND[:, 0] - 1.0, 5.0 - u_ND[:, 1]], axis=1)
    y_NO[3, 0] = np.nan
    fitted, told = surrogate_of_run(asked(predictor, "plain", "sure"), u_ND, y_NO)
    said = fitted.predict(u_ND)
    np.testing.assert_allclose(told.mean_NO, said.mean_NO)
    own = predictor.answers(cells(u_ND), inputs=["a", "b"])
    assert not said.log_O[0]  # some of its rows are negative
    np.testing.assert_allclose(said.median_NO[:, 0], own["plain"]["value"])
    np.testing.assert_allclose(said.median_NO[:, 1], own["sure"]["value"])
    assert np.ptp(said.deviation_NO[:, 0]) == 0.0  # it says no quantiles: its error everywhere
    off_N = np.delete(said.mean_NO[:, 0] - y_NO[:, 0], 3)
    assert said.deviation_NO[0, 0] == pytest.approx(np.sqrt((off_N**2).mean()))
    assert np.ptp(said.deviation_NO[:, 1]) > 0.0
    z_NO = said.normalised(y_NO)
    np.testing.assert_allclose(np.sqrt(np.nanmean(z_NO**2, axis=0)), 1.0)


def test_errors_that_are_shares_are_modelled_by_the_logarithm(predictor: Predictor) -> None:
    u_ND = np.random.default_rng(1).random((60, 2))
    own_N1, _ = asked(predictor, "plain").answers(u_ND)
    y_N1 = np.maximum(own_N1, 0.1) * np.exp(np.random.default_rng(2).normal(0.0, 0.3, (60, 1)))
    fitted, told = surrogate_of_run(asked(predictor, "plain"), u_ND, y_N1)
    assert fitted.log_O.all()
    np.testing.assert_allclose(told.median_NO, np.maximum(own_N1, y_N1.min()))
    assert np.sqrt((told.normalised(y_N1) ** 2).mean()) == pytest.approx(1.0)


def test_answers_are_brought_to_other_units(predictor: Predictor) -> None:
    u_ND = np.random.default_rng(1).random((20, 2))
    plain_N1, spread_N1 = asked(predictor, "sure").answers(u_ND)
    mean_N1, other_N1 = asked(predictor, "sure", times=-2.0, plus=7.0).answers(u_ND)
    np.testing.assert_allclose(mean_N1, 7.0 - 2.0 * plain_N1)
    np.testing.assert_allclose(other_N1, 2.0 * spread_N1)


def test_too_few_rows_tell_no_errors(predictor: Predictor) -> None:
    u_ND, y_NO = np.full((6, 2), 0.5), np.ones((6, 1))
    with pytest.raises(DesignError, match="2 rows that the run has not learned from"):
        surrogate_of_run(asked(predictor, "plain"), u_ND[:2], y_NO[:2])


def test_answers_alone_are_those_of_answers(predictor: Predictor) -> None:
    rows = cells(np.random.default_rng(3).random((10, 2)))
    whole, alone = predictor.answers(rows), predictor.answers_alone(rows)
    assert set(alone) == {"plain", "sure", "kind"}
    for task, part in (("plain", "value"), ("sure", "quantiles"), ("kind", "probability")):
        np.testing.assert_array_equal(alone[task][part], whole[task][part])
    hidden = predictor.answers_alone(rows, inputs=["a"])
    assert (hidden["plain"]["value"] != alone["plain"]["value"]).any()


def test_a_process_of_its_errors_puts_it_right(predictor: Predictor) -> None:
    """What it got wrong in one corner is foretold there, and each row by the others alone."""
    u_ND = np.random.default_rng(4).random((60, 2))
    answering = asked(predictor, "plain")
    y_N1 = answering.answers(u_ND)[0] + np.where(u_ND[:, :1] > 0.5, 4.0, 0.0) - 3.0
    plain, told = surrogate_of_run(answering, u_ND, y_N1)
    better, left_out = correct(plain, told, u_ND, y_N1, seed=0)
    new_ND = np.array([[0.9, 0.5], [0.1, 0.5]])
    off_N = better.predict(new_ND).mean_NO[:, 0] - answering.answers(new_ND)[0][:, 0]
    np.testing.assert_allclose(off_N, [1.0, -3.0], atol=0.3)
    others_N = np.arange(60) > 0
    without = better.errors.given(u_ND[others_N], plain.predict(u_ND[others_N]).normalised(
        y_N1[others_N]))  # fmt: skip
    one = Corrected(plain, without).predict(u_ND[:1])
    np.testing.assert_allclose(left_out.mean_NO[0], one.mean_NO[0], rtol=1e-6)
    np.testing.assert_allclose(left_out.deviation_NO[0], one.deviation_NO[0], rtol=1e-6)
    assert left_out.log_density(y_N1).mean() > told.log_density(y_N1).mean()


def test_surrogates_of_different_outputs_stand_side_by_side(predictor: Predictor) -> None:
    u_ND = np.random.default_rng(5).random((20, 2))
    of_run, _ = surrogate_of_run(asked(predictor, "plain"), u_ND, u_ND[:, :1] - 0.5)
    both = with_known(Joined((of_run,)), lambda u_ND: 10.0 * u_ND[:, 1:], 2)
    assert not isinstance(both, SmoothSurrogate)
    said = both.predict(u_ND)
    np.testing.assert_array_equal(said.mean_NO[:, :1], of_run.predict(u_ND).mean_NO)
    np.testing.assert_array_equal(said.mean_NO[:, 1], 10.0 * u_ND[:, 1])
    assert (said.deviation_NO[:, 1] < 1e-7).all()
    assert said.log_O.tolist() == [False, False]
