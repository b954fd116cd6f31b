"""ADWIN forgets what came before a change, keeps all of an even stream, and is not often wrong."""

import numpy as np
import pytest

from modalloy.drift.adwin import Adwin, alarms, merged


def test_its_window_holds_the_mean_of_all_of_an_even_stream(draw: np.random.Generator) -> None:
    x = draw.random(3000)
    window = Adwin(1e-4)
    assert not any([window.add(v) for v in x])
    assert window.count == 3000
    assert window.mean == pytest.approx(x.mean())
    assert len(window.buckets) < 60  # the logarithm of what came
    whole = window.buckets[0]
    for b in window.buckets[1:]:
        whole = merged(whole, b)
    assert whole.squares == pytest.approx(((x - x.mean()) ** 2).sum())


def test_a_change_is_noticed_soon_and_dated(draw: np.random.Generator) -> None:
    x = np.concatenate([draw.random(800) * 0.5, 0.4 + draw.random(400) * 0.5])
    found = alarms(x, delta=1e-4)
    assert found
    assert 800 < found[0].seen < 900
    assert abs(found[-1].began - 800) < 150


def test_false_alarms_are_rarer_than_delta_allows(draw: np.random.Generator) -> None:
    wrong = [bool(alarms(draw.random(300), delta=0.05)) for _ in range(200)]
    assert np.mean(wrong) <= 0.05  # of whole streams, however often it looks
