"""Constraints are read from texts with their units, and every fault gets a sentence."""

import math

import numpy as np
import pytest

from modalloy.designing.constraints import parse_constraints, parse_objective
from modalloy.errors import DesignError

OUTPUTS = {"mass": "kg", "deflection": "mm", "f1": "Hz", "depth": "mm", "share": None, "T": "°C"}


@pytest.mark.parametrize(
    ("text", "output", "low", "high", "sense"),
    [
        ("deflection <= 0.6 mm", "deflection", -math.inf, 0.6, "<="),
        ("deflection <= 600 um", "deflection", -math.inf, 0.6, "<="),
        ("deflection<=600µm", "deflection", -math.inf, 0.6, "<="),
        ("f1 >= 0.52 kHz", "f1", 520.0, math.inf, ">="),
        ("0.52 kHz <= f1", "f1", 520.0, math.inf, ">="),
        ("0.9 mm <= depth <= 1.1 mm", "depth", 0.9, 1.1, "in"),
        ("1.1 mm >= depth >= 900 um", "depth", 0.9, 1.1, "in"),
        ("900 <= depth <= 1100 um", "depth", 0.9, 1.1, "in"),
        ("depth in [0.9, 1.1] mm", "depth", 0.9, 1.1, "in"),
        ("depth in [0.9 mm, 1100 um]", "depth", 0.9, 1.1, "in"),
        ("depth in [0.9, 1.1]", "depth", 0.9, 1.1, "in"),
        ("share < 1e-2", "share", -math.inf, 0.01, "<="),
        ("T ≤ 300 K", "T", -math.inf, 26.85, "<="),
    ],
)
def test_a_text_is_read_in_the_outputs_unit(
    text: str, output: str, low: float, high: float, sense: str
) -> None:
    (one,) = parse_constraints([text], OUTPUTS)
    assert (one.output, one.sense, one.text) == (output, sense, text)
    assert one.low == pytest.approx(low)
    assert one.high == pytest.approx(high)
    assert one.unit == OUTPUTS[output]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("deflection <= 0.6 kg", "'deflection' is in mm, which 'kg' cannot be converted to"),
        ("deflection <= 0.6 furlongs", "which 'furlongs' cannot be converted to"),
        ("share <= 3 mm", "'share' has no unit; leave out 'mm'"),
        ("deflexion <= 0.6 mm", "Did you mean 'deflection'?"),
        ("depth == 1 mm", "write a window"),
        ("depth", "is no constraint"),
        ("mass <= heavy", "is no constraint"),
        ("depth in [thin, 1.1] mm", "'thin' is no number with a unit"),
        ("depth <= 1 mm <= 2 mm", "stands between its two bounds"),
        ("1 mm <= depth >= 2 mm", "twice on one side"),
        ("1.1 mm <= depth <= 0.9 mm", "leaves no room"),
    ],
)
def test_every_fault_gets_a_sentence(text: str, told: str) -> None:
    with pytest.raises(DesignError) as raised:
        parse_constraints([text], OUTPUTS)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_contradictory_pair_is_named() -> None:
    with pytest.raises(DesignError) as raised:
        parse_constraints(["mass <= 1 kg", "f1 >= 520 Hz", "mass >= 2000 g"], OUTPUTS)
    assert str(raised.value) == (
        "'mass <= 1 kg' and 'mass >= 2000 g' contradict each other: they leave no room for mass."
    )
    assert len(parse_constraints(["mass <= 2 kg", "mass >= 1 kg"], OUTPUTS)) == 2


def test_faults_come_in_one_pass() -> None:
    with pytest.raises(DesignError) as raised:
        parse_constraints(["mas <= 1 kg", "f1 >= 1 kg"], OUTPUTS)
    assert len(str(raised.value).splitlines()) == 2


def test_values_keep_a_constraint_or_not() -> None:
    (one,) = parse_constraints(["0.9 mm <= depth <= 1.1 mm"], OUTPUTS)
    kept = one.kept(np.array([0.8, 0.9, 1.0, 1.1, 1.2, np.nan]))
    assert kept.tolist() == [False, True, True, True, False, False]


def test_an_objective_has_a_sign_and_a_known_output() -> None:
    assert parse_objective("mass", OUTPUTS, direction="minimise").sign == 1.0
    assert parse_objective("f1", OUTPUTS, direction="maximise").sign == -1.0
    with pytest.raises(DesignError, match="Did you mean 'mass'"):
        parse_objective("mas", OUTPUTS, direction="minimise")
