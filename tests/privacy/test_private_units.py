"""What is protected together is drawn together, each unit by its own chance."""

import numpy as np
import pytest

from modalloy.privacy.units import ROWS_OF_A_UNIT, Units, in_chunks


def test_rows_of_one_value_are_one_unit_and_rows_without_one_their_own() -> None:
    units = Units.of_values(np.arange(10, 16), ["a", None, "b", "a", None, "b"])
    assert [rows.tolist() for rows in units.rows] == [[10, 13], [11], [12, 15], [14]]
    frame = Units.of_values(np.arange(4), [float("nan"), 1.0, " ", float("nan")])
    assert [rows.tolist() for rows in frame.rows] == [[0], [1], [2], [3]]
    assert [rows.tolist() for rows in Units.of_rows(np.array([4, 9])).rows] == [[4], [9]]


def test_each_unit_is_drawn_by_its_own_chance() -> None:
    units, draw = Units.of_rows(np.arange(400)), np.random.default_rng(0)
    counts = [len(units.draw(0.25, draw)) for _ in range(300)]
    assert np.mean(counts) == pytest.approx(100, abs=1.5)
    assert np.var(counts) == pytest.approx(75, rel=0.25), "binomial, not of a fixed size"
    assert units.draw(0.0, draw) == []
    assert len(units.draw(1.0, draw)) == 400


def test_a_step_sees_few_rows_of_a_large_unit() -> None:
    units = Units([np.arange(100), np.arange(100, 103)])
    large, small = units.draw(1.0, np.random.default_rng(0))
    assert len(set(large.tolist())) == ROWS_OF_A_UNIT
    assert set(large) < set(range(100))
    assert small.tolist() == [100, 101, 102]


def test_units_stay_whole_in_what_is_read_together() -> None:
    drawn = [np.arange(n) for n in (3, 2, 6, 1, 1)]
    chunks = [[len(rows) for rows in chunk] for chunk in in_chunks(drawn, 5)]
    assert chunks == [[3, 2], [6], [1, 1]]
    assert list(in_chunks([], 5)) == []
