"""How fast a candidate is, and which peak its speed is a part of."""

import numpy as np
import pytest

from modalloy.deploy.speed import speed_from
from modalloy.deploy.tried import Speed
from modalloy.machine.bursts import Timing
from modalloy.machine.peak import Peak


def speed(family: str, operations: dict[str, float]) -> Speed:
    one = Timing(np.full((4, 2), 0.01), np.full(4, 0.01))
    pair = {"slow": one, "fast": one}
    peak = Peak(1, operations, {}, None, {}, 0.0)
    return speed_from(pair, pair, 16, work=10**7, peak=peak, family=family)


@pytest.mark.parametrize(
    ("family", "operations", "kind", "share"),
    [
        ("float32", {"float32": 1e10}, "float32", 0.1),
        ("int8", {"float32": 1e10, "int8": 4e10}, "int8", 0.025),
        ("bfloat16", {"float32": 1e10, "bfloat16": 1e8}, "float32", 0.1),  # widened first
        ("float16", {"float32": 1e10}, "float32", 0.1),
    ],
)
def test_a_type_without_products_of_its_own_is_measured_by_float32s(
    family: str, operations: dict[str, float], kind: str, share: float
) -> None:
    found = speed(family, operations)
    assert found.peak == pytest.approx(share)
    assert found.peak_of == kind
