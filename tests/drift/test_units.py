"""Another unit is named, a mere shift is not."""

import numpy as np
import pytest

from modalloy.drift.sketch import Sketch
from modalloy.drift.units import unit_jump


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1000.0, "1000 times as large"),
        (0.001, "1000 times as small"),
        (25.4, "25.4 times as large"),
        (1 / 2.20462, "2.2 times as small"),
        (1.1, None),
        (1.0, None),
    ],
)
def test_factors(factor: float, said: str | None, draw: np.random.Generator) -> None:
    sketch = Sketch.of(draw.gamma(4.0, size=3000))
    assert unit_jump(sketch, factor * draw.gamma(4.0, size=800)) == said


def test_shifts_and_numbers_around_zero_are_no_units(draw: np.random.Generator) -> None:
    assert unit_jump(Sketch.of(draw.normal(5, 1, 2000)), draw.normal(50, 1, 500)) is None
    assert unit_jump(Sketch.of(draw.normal(0, 1, 2000)), 1000 * draw.normal(0, 1, 500)) is None
    assert unit_jump(Sketch.of(np.full(50, 3.0)), np.full(50, 3000.0)) == "1000 times as large"
    assert unit_jump(Sketch.of(np.zeros(0)), np.ones(3)) is None
