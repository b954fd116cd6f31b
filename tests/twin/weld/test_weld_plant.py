"""The plant: when absorptivity falls, how far, and that the same seed gives the same parts."""

import numpy as np
import pytest

from modalloy.errors import TwinError
from modalloy.twin.weld.plant import Part, described, levels, placed, stream


def absorptivities(parts: list[Part]) -> np.ndarray:
    return np.array([part.values["absorptivity"] for part in parts], dtype=float)


def test_absorptivity_falls_linearly_from_its_onset_to_the_last_part() -> None:
    level_P = levels(2000, onset=500, first=0.6, last=0.4, fall_parts=None)
    assert (level_P[:501] == 0.6).all()
    assert level_P[-1] == pytest.approx(0.4)
    np.testing.assert_allclose(np.diff(level_P[500:]), -0.2 / 1499, rtol=1e-9)


def test_a_faster_fall_ends_earlier_and_stays() -> None:
    level_P = levels(2000, onset=500, first=0.6, last=0.4, fall_parts=200)
    assert level_P[600] == pytest.approx(0.5)
    assert np.allclose(level_P[700:], 0.4)


def test_parts_scatter_around_the_level_in_proportion_to_it() -> None:
    parts = stream(2000, seed=1, onset=1000, fall_parts=1)
    before, after = absorptivities(parts)[:1000], absorptivities(parts)[1001:]
    deviation = described()["hidden"]["absorptivity"]["deviation"]
    assert before.mean() == pytest.approx(0.6, abs=0.005)
    assert before.std() == pytest.approx(deviation, rel=0.1)
    assert after.mean() == pytest.approx(0.4, abs=0.005)
    assert after.std() == pytest.approx(deviation * 0.4 / 0.6, rel=0.1)


def test_a_plant_without_a_fall_never_drifts() -> None:
    parts = stream(1000, seed=2, onset=1000)
    assert np.polyfit(np.arange(1000), absorptivities(parts), 1)[0] == pytest.approx(0, abs=2e-5)


def test_every_variable_and_hidden_parameter_lies_inside_its_bounds() -> None:
    twin = described()
    parts = stream(500, seed=3, onset=0)
    for name, variable in (twin["variables"] | twin["hidden"]).items():
        values = [part.values[name] for part in parts]
        if variable["type"] == "categorical":
            assert set(values) == set(variable["choices"])
        else:
            assert variable["low"] <= min(values)
            assert max(values) <= variable["high"]


def test_the_conductivity_factor_is_the_batchs_own() -> None:
    factor_P = np.array(
        [part.values["conductivity_factor"] for part in stream(2000, seed=4, onset=0)], dtype=float
    )
    assert factor_P.mean() == pytest.approx(1.0, abs=0.003)
    assert factor_P.std() == pytest.approx(0.03, rel=0.1)
    assert abs(np.corrcoef(factor_P, np.arange(2000))[0, 1]) < 0.07


def test_the_same_seed_gives_the_same_parts_and_another_others() -> None:
    assert stream(50, seed=5, onset=10) == stream(50, seed=5, onset=10)
    assert stream(50, seed=5, onset=10) != stream(50, seed=6, onset=10)


def test_a_longer_plant_begins_with_the_same_parts() -> None:
    short, long = (stream(n, seed=5, onset=10, fall_parts=20) for n in (50, 80))
    assert long[:50] == short


def test_settings_are_held_and_change_nothing_that_is_hidden() -> None:
    free = stream(50, seed=5, onset=10)
    held = stream(50, seed=5, onset=10, settings={"power": 900.0, "grade": "mild"})
    for one, other in zip(free, held, strict=True):
        assert (other.values["power"], other.values["grade"]) == (900.0, "mild")
        same = ("speed", "preheat", "spot", "absorptivity", "conductivity_factor")
        assert [one.values[name] for name in same] == [other.values[name] for name in same]
        assert one.seed == other.seed
    assert len({part.seed for part in free}) == 50


def test_a_setting_that_the_weld_does_not_have_is_refused() -> None:
    with pytest.raises(TwinError, match="no variable 'powre' to set; it has power, speed,"):
        stream(5, seed=0, onset=5, settings={"powre": 900.0})


def test_a_fall_below_the_bounds_stops_there() -> None:
    parts = stream(200, seed=0, onset=0, last=0.2, fall_parts=1)
    assert absorptivities(parts)[1:].min() == 0.3


def test_speed_is_drawn_evenly_by_its_logarithm() -> None:
    speed = described()["variables"]["speed"]
    middle = placed(speed, 0.5)
    assert middle == pytest.approx((speed["low"] * speed["high"]) ** 0.5)
    assert placed(described()["variables"]["power"], 0.5) == pytest.approx(1000.0)
