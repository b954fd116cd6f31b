"""What the tubes can be made of, and the numbers that the twin takes from each metal."""

from typing import NamedTuple


class Material(NamedTuple):
    """damping: share of critical damping of every mode; assumed, as joints and welds decide it."""

    name: str
    youngs_pa: float
    density_kg_m3: float
    yield_pa: float
    damping: float


MATERIALS = (
    # Structural steel S355: EN 1993-1-1, 3.2.6 and EN 10025-2.
    Material("steel", 210e9, 7850.0, 355e6, 0.003),
    # Aluminium 6082-T6: EN 1999-1-1, 3.2.5 and table 3.2b.
    Material("aluminium", 70e9, 2700.0, 250e6, 0.002),
    # Titanium Ti-6Al-4V (grade 5), annealed: ASTM B348 and makers' data sheets.
    Material("titanium", 114e9, 4430.0, 828e6, 0.001),
)


def material(name: str) -> Material:
    """The numbers of a metal; ValueError for another."""
    for found in MATERIALS:
        if found.name == name:
            return found
    known = ", ".join(m.name for m in MATERIALS)
    raise ValueError(f"material {name!r} is not known; take one of {known}.")
