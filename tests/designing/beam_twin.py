"""A cantilever whose best design is known: wood or steel, mass against deflection."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOAD_N, LENGTH_M = 1000.0, 1.0
STEEL, ALUMINIUM = (210e9, 7850.0), (70e9, 2700.0)


def simulate(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """Mass in kg and deflection in mm of a rectangular bar; one that is too slim is not built."""
    modulus_Pa, density = STEEL if values["metal"] == "steel" else ALUMINIUM
    width_m, height_m = values["width"] / 1000, values["height"] / 1000
    if height_m > 7.5 * width_m:
        raise ValueError("the bar tips over")
    inertia_m4 = width_m * height_m**3 / 12
    deflection_mm = 1000 * LOAD_N * LENGTH_M**3 / (3 * modulus_Pa * inertia_m4)
    return {"mass": density * width_m * height_m * LENGTH_M, "deflection": deflection_mm}
