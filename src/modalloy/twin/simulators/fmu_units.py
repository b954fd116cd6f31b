"""Whether a twin and an FMU mean the same unit by a value, which is handed over as it is."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.errors import TwinError
from modalloy.twin.physical_units import BASES, Unit, read_unit

NONE = (None, "", "-")  # what is written where nothing is said of a unit
CLOSE = 1e-9


def check_units(model: Any, units: Mapping[str, str], file: Path) -> None:
    """TwinError for a value whose unit is another one in the FMU, where both say one.

    model: FMPy's description of it. units: of variables and outputs, as the twin says them. A unit
    that neither the FMU defines nor we know is the same only where it is written alike.
    """
    known = {variable.name: variable for variable in model.modelVariables}
    defined = {unit.name: unit.baseUnit for unit in model.unitDefinitions if unit.baseUnit}
    for name, own in units.items():
        variable = known[name]
        stated = variable.unit or (variable.declaredType and variable.declaredType.unit)
        if stated in NONE or own == stated:
            continue
        there, here = meant(stated, defined), read_unit(own)
        if there is None or here is None or not same(there, here):
            raise TwinError(
                f"simulator: {file}: '{name}' is in {stated} there and in {own} in the twin, and "
                f"its values are handed over as they are; say it in {stated} in the twin."
            )


def meant(name: str, defined: Mapping[str, Any]) -> Unit | None:
    """A unit of an FMU as it defines it, else as Modelica writes units; None where both fail."""
    base = defined.get(name)
    if base is None:
        return read_unit(name.replace(".", "*"))
    if base.cd:
        return None  # no twin's unit has candelas
    return Unit(tuple(int(getattr(base, b)) for b in BASES), float(base.factor), float(base.offset))


def same(one: Unit, other: Unit) -> bool:
    """Whether a number means the same in both."""
    return (
        one.powers == other.powers
        and math.isclose(one.times, other.times, rel_tol=CLOSE)
        and math.isclose(one.plus, other.plus, rel_tol=CLOSE, abs_tol=CLOSE)
    )
