"""Answers as what is watched of them: how sure, how wide, how right, and whether sets held."""

import numpy as np
import pytest

from modalloy.job import config
from modalloy.observing.said import say


def test_classes_are_right_held_or_unknown() -> None:
    options = config.Classify(target="fault")
    answer = {
        "probability": np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.5, 0.5]]),
        "set": np.array([[True, False], [True, True], [True, False], [True, True]]),
    }
    said = say(options, ["a", "b"], answer, ["a", "a", None, "z"])
    assert said.kind == "classes"
    assert said.name_B.tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(said.sure_B, [0.9, 0.6, 0.7, 0.5])
    np.testing.assert_array_equal(said.right_B, [1.0, 0.0, np.nan, 0.0])
    np.testing.assert_array_equal(said.held_B, [1.0, 1.0, np.nan, 0.0])  # no set holds 'z'


def test_numbers_have_widths_errors_and_intervals() -> None:
    options = config.Regress(target="life", quantiles=[0.1, 0.9])
    answer = {
        "value": np.array([1.0, 2.0]),
        "quantiles": np.array([[0.5, 2.0], [1.0, 5.0]]),
        "low": np.array([0.0, 0.0]),
        "high": np.array([3.0, 4.0]),
    }
    said = say(options, None, answer, [4.0, None])
    np.testing.assert_allclose(said.width_B, [1.5, 4.0])
    np.testing.assert_array_equal(said.error_B, [3.0, np.nan])
    np.testing.assert_array_equal(said.held_B, [0.0, np.nan])


def test_labels_count_each_and_texts_their_words() -> None:
    options = config.Classify(target="tags", labels="multi")
    p = np.array([[0.9, 0.2, 0.6]])
    said = say(options, ["a", "b", "c"], {"probability": p}, [["a"]])
    assert (said.kind, said.value_B[0]) == ("labels", 2.0)
    assert said.right_B[0] == pytest.approx(2 / 3)
    assert said.sure_B[0] == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    text = np.array(["two words"], dtype=object)
    told = say(
        config.Generate(target="note"), None, {"text": text, "confidence": np.array([0.5])}, None
    )
    assert (told.kind, told.value_B[0], told.sure_B[0]) == ("items", 2.0, 0.5)
