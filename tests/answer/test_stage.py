"""A temperature is the best there is, leaves the answer alone, and survives as JSON."""

import json

import numpy as np
import pytest

from modalloy.answer.stage import (
    LabelTemperatures,
    Temperature,
    adjust,
    best_temperature,
    fit_stage,
    scaled,
    stages_from_state,
    stages_to_state,
)
from modalloy.errors import RunError

NAMES = ["a", "b", "c"]


def answered(draw: np.random.Generator, *, several: bool) -> tuple[np.ndarray, np.ndarray]:
    """True chances of 4 000 rows, and classes drawn by them."""
    logits = draw.normal(0, 1.5, (4000, 3))
    if several:
        p = 1 / (1 + np.exp(-logits))
        return p, draw.random(p.shape) < p
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    chosen = (p.cumsum(1) < draw.random((len(p), 1))).sum(1)
    return p, np.eye(3, dtype=bool)[chosen]


def loss(p: np.ndarray, yes: np.ndarray, *, several: bool) -> float:
    """Mean log loss, the plain way."""
    right = np.where(yes, p, 1 - p) if several else p[yes]
    return float(-np.log(right.clip(1e-7)).mean())


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_it_is_the_best_of_many_and_undoes_what_was_done(
    true: float, several: bool, draw: np.random.Generator
) -> None:
    p, yes = answered(draw, several=several)
    given = scaled(p, 1 / true, several=several)  # surer than it should be where true > 1
    found = Temperature.fit(given, yes, several=several)
    tried = np.geomspace(0.1, 10, 400)
    losses = [loss(scaled(given, t, several=several), yes, several=several) for t in tried]
    assert found.temperature == pytest.approx(tried[int(np.argmin(losses))], rel=0.02)
    assert found.temperature == pytest.approx(true, rel=0.1)
    assert found.rows == 4000


@pytest.mark.parametrize("several", [False, True])
def test_the_answer_stays_and_so_do_its_form_and_type(
    several: bool, draw: np.random.Generator
) -> None:
    p, _ = answered(draw, several=several)
    answer = {"probability": p.astype(np.float32), "else": np.arange(4000)}
    found = Temperature(2.5, several, 10).apply(answer)
    assert found["probability"].dtype == np.float32
    assert (found["else"] == answer["else"]).all()
    if several:
        assert ((found["probability"] >= 0.5) == (answer["probability"] >= 0.5)).all()
    else:
        assert (found["probability"].argmax(1) == p.argmax(1)).all()
        assert found["probability"].sum(1) == pytest.approx(1, abs=1e-5)
    assert found["probability"].max() < answer["probability"].max()


def test_a_temperature_of_one_changes_nothing_and_certainty_stays_finite() -> None:
    p = np.array([[1.0, 0.0], [0.3, 0.7]])
    assert scaled(p, 1.0, several=False) == pytest.approx(p, abs=1e-6)
    assert np.isfinite(scaled(p, 0.1, several=True)).all()
    assert scaled(np.zeros((0, 2)), 2.0, several=False).shape == (0, 2)


def test_rows_that_no_answer_can_be_have_no_part() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]])
    truth = ["a", "b", "never seen", None]
    stage = fit_stage(NAMES, truth, {"probability": p}, several=False)
    assert stage == Temperature.fit(p[:2], np.eye(3, dtype=bool)[[0, 1]], several=False)
    assert fit_stage(NAMES, [None, "z"], {"probability": p[:2]}, several=False) is None
    assert fit_stage(None, [1.0], {"value": np.ones(1)}, several=False) is None
    labels = fit_stage(NAMES, [["a", "c"], []], {"probability": p[:2]}, several=True)
    assert isinstance(labels, LabelTemperatures)
    assert labels.rows == 2


def test_stages_are_json_and_only_their_own_task_goes_through_them() -> None:
    stages = {"fault": Temperature(1.7, False, 40)}
    again = stages_from_state(json.loads(json.dumps(stages_to_state(stages))))
    assert again == stages
    p = np.array([[0.9, 0.1]])
    found = adjust({"fault": {"probability": p}, "other": {"probability": p}}, stages)
    assert found["fault"]["probability"][0, 0] < 0.9
    assert found["other"]["probability"][0, 0] == 0.9


def test_each_label_has_a_temperature_of_its_own_and_a_rare_one_that_of_all(
    draw: np.random.Generator,
) -> None:
    p, yes = answered(draw, several=True)
    yes[:, 2] = np.arange(len(yes)) < 5
    given = scaled(p, np.array([0.4, 2.5, 1.0]), several=True)  # one too sure, one not sure enough
    found = LabelTemperatures.fit(given, yes)
    assert found.temperatures[0] == pytest.approx(2.5, rel=0.1)
    assert found.temperatures[1] == pytest.approx(0.4, rel=0.1)
    assert found.temperatures[2] == best_temperature(given, yes, several=True)
    told = found.apply({"probability": given.astype(np.float32)})["probability"]
    assert ((told >= 0.5) == (given >= 0.5)).mean() > 0.999
    one = Temperature.fit(given, yes, several=True).apply({"probability": given})["probability"]
    assert loss(told, yes, several=True) < loss(one, yes, several=True)
    stages = {"fault": found}
    assert stages_from_state(json.loads(json.dumps(stages_to_state(stages)))) == stages


def test_few_rows_that_are_all_right_do_not_make_answers_certain() -> None:
    p, yes = np.tile([0.9, 0.1], (5, 1)), np.tile([True, False], (5, 1))
    few = Temperature.fit(p, yes, several=False).temperature
    many = Temperature.fit(np.tile(p, (400, 1)), np.tile(yes, (400, 1)), several=False).temperature
    assert 0.4 < few < 1.0
    assert many < few


def test_a_stage_of_another_version_gets_a_sentence() -> None:
    with pytest.raises(RunError, match="'fault' go through a stage 'magic', which this version"):
        stages_from_state({"fault": {"kind": "magic"}})
    with pytest.raises(RunError, match=r"stage of 'fault' \(temperature\) does not fit"):
        stages_from_state({"fault": {"kind": "temperature", "heat": 2}})
