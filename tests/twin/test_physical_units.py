"""Units convert where their dimensions agree, and only there."""

import pytest

from modalloy.twin.physical_units import convert


@pytest.mark.parametrize(
    ("value", "given", "wanted", "expected"),
    [
        (1.0, "mm", "m", 1e-3),
        (600.0, "µm", "mm", 0.6),
        (2.5, "kN", "N", 2500.0),
        (1.0, "bar", "kPa", 100.0),
        (7850.0, "kg/m3", "g/cm³", 7.85),
        (1.0, "m/min", "mm/s", 1000.0 / 60.0),
        (1.0, "kWh", "MJ", 3.6),
        (9.81, "m/s^2", "mm/s2", 9810.0),
        (1.0, "N/mm2", "MPa", 1.0),
        (1.0, "N m", "Nm", 1.0),
        (60.0, "1/min", "Hz", 1.0),
        (25.0, "°C", "K", 298.15),
        (212.0, "°F", "°C", 100.0),
        (180.0, "°", "rad", 3.141592653589793),
        (50.0, "%", "1", 0.5),
        (3.0, "Stk", "Stk", 3.0),
    ],
)
def test_values_convert(value: float, given: str, wanted: str, expected: float) -> None:
    assert convert(value, given, wanted) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("kg", "mm"), ("rpm", "Hz"), ("N", "Nm/s"), ("EUR", "USD"), ("mm", "Stk"), ("xyz", "mm")],
)
def test_other_dimensions_do_not(given: str, wanted: str) -> None:
    assert convert(1.0, given, wanted) is None
