"""Units of measure: whether two are of one dimension, and numbers brought from one to the other."""

import math
import re
from typing import NamedTuple

BASES = ("m", "kg", "s", "A", "K", "mol", "rad")
PREFIXES = {
    "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3,
    "u": 1e-6, "n": 1e-9, "p": 1e-12,
}  # fmt: skip
# What each unit is in the bases, and whether it takes prefixes.
UNITS: dict[str, tuple[float, str, bool]] = {
    "m": (1.0, "m", True), "g": (1e-3, "kg", True), "s": (1.0, "s", True), "A": (1.0, "A", True),
    "K": (1.0, "K", True), "mol": (1.0, "mol", True), "rad": (1.0, "rad", True),
    "t": (1e3, "kg", False), "min": (60.0, "s", False), "h": (3600.0, "s", False),
    "d": (86400.0, "s", False), "l": (1e-3, "m3", True), "L": (1e-3, "m3", True),
    "in": (0.0254, "m", False), "ft": (0.3048, "m", False), "lb": (0.45359237, "kg", False),
    "N": (1.0, "kg m s-2", True), "Pa": (1.0, "kg m-1 s-2", True),
    "bar": (1e5, "kg m-1 s-2", True), "psi": (6894.757293168361, "kg m-1 s-2", False),
    "J": (1.0, "kg m2 s-2", True), "W": (1.0, "kg m2 s-3", True),
    "Wh": (3600.0, "kg m2 s-2", True), "Nm": (1.0, "kg m2 s-2", True),
    "Hz": (1.0, "s-1", True), "V": (1.0, "kg m2 s-3 A-1", True),
    "Ohm": (1.0, "kg m2 s-3 A-2", True), "F": (1.0, "kg-1 m-2 s4 A2", True),
    "C": (1.0, "A s", True), "T": (1.0, "kg s-2 A-1", True),
    "deg": (math.pi / 180.0, "rad", False), "rev": (2.0 * math.pi, "rad", False),
    "rpm": (math.pi / 30.0, "rad s-1", False),
    "%": (1e-2, "", False), "ppm": (1e-6, "", False), "1": (1.0, "", False),
}  # fmt: skip
# Degrees of temperature, which are shifted as well: kelvins are times x plus.
CELSIUS, FAHRENHEIT = (1.0, 273.15), (5.0 / 9.0, 459.67 * 5.0 / 9.0)
SHIFTED = {"°C": CELSIUS, "degC": CELSIUS, "°F": FAHRENHEIT, "degF": FAHRENHEIT}
SPELLED = str.maketrans(
    {"µ": "u", "μ": "u", "²": "2", "³": "3", "⁻": "-", "¹": "1", "·": "*", "Ω": "Ohm", "^": ""}
)
FACTOR = re.compile(r"([A-Za-z%]+|1)(-?\d+)?")


class Unit(NamedTuple):
    """A unit as a power of each base (m, kg, s, A, K, mol, rad), a factor and what is added."""

    powers: tuple[int, ...]
    times: float
    plus: float = 0.0


def convert(value: float, given: str, wanted: str) -> float | None:
    """The value in another unit; None where the two are of different dimensions.

    Units that are not known are of one dimension only where they are written alike.
    """
    if given == wanted:
        return value
    old, new = read_unit(given), read_unit(wanted)
    if old is None or new is None or old.powers != new.powers:
        return None
    return (value * old.times + old.plus - new.plus) / new.times


def read_unit(text: str) -> Unit | None:
    """What a text such as `mm`, `kg/m3`, `N m` or `°C` means; None where it is no known unit."""
    text = text.strip()
    if text in SHIFTED:
        times, plus = SHIFTED[text]
        return Unit(powers_of("K"), times, plus)
    text = "deg" if text == "°" else text.translate(SPELLED)
    powers, times = [0] * len(BASES), 1.0
    for place, part in enumerate(text.split("/")):
        sign = 1 if place == 0 else -1
        for word in part.replace("*", " ").split():
            found = FACTOR.fullmatch(word)
            one = named_unit(found[1]) if found else None
            if found is None or one is None:
                return None
            power = sign * int(found[2] or 1)
            times *= one.times**power
            powers = [p + power * q for p, q in zip(powers, one.powers, strict=True)]
    return Unit(tuple(powers), times) if text else None


def named_unit(name: str) -> Unit | None:
    """One unit with or without a prefix: `m`, `mm`, `kN`."""
    if name in UNITS:
        times, bases, _ = UNITS[name]
        return Unit(powers_of(bases), times)
    prefix, rest = name[:1], name[1:]
    if prefix in PREFIXES and rest in UNITS and UNITS[rest][2]:
        times, bases, _ = UNITS[rest]
        return Unit(powers_of(bases), times * PREFIXES[prefix])
    return None


def powers_of(bases: str) -> tuple[int, ...]:
    """`kg m s-2` as the power of each base."""
    found = dict.fromkeys(BASES, 0)
    for word in bases.split():
        base = word.rstrip("-0123456789")
        found[base] += int(word[len(base) :] or 1)
    return tuple(found.values())
