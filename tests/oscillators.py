"""A damped oscillator: built from C as an FMU, and in closed form."""

import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import fmpy
import numpy as np
import pytest

SOURCE = Path(__file__).parent / "twin/simulators/oscillator.c"
DESCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="oscillator" guid="{{oscillator}}">
  <{kind} modelIdentifier="oscillator" canHandleVariableCommunicationStepSize="true"/>
  <UnitDefinitions>{units}</UnitDefinitions>
  <ModelVariables>
{variables}
  </ModelVariables>
  <ModelStructure>
    <Outputs><Unknown index="5"/><Unknown index="7"/></Outputs>
  </ModelStructure>
</fmiModelDescription>
"""
SETTABLE = {"stiffness": 100.0, "damping": 1.0, "mass": 1.0, "start": 1.0}
READ = {"position": 4, "velocity": 5, "total": 6}


UNITS = (
    '<Unit name="N/m"><BaseUnit kg="1" s="-2"/></Unit><Unit name="zoll">'
    '<BaseUnit m="1" factor="0.0254"/></Unit><Unit name="lx"><BaseUnit cd="1" m="-2"/></Unit>'
)


def build_fmu(
    folder: Path,
    *,
    platform: str = fmpy.platform,
    kind: str = "CoSimulation",
    stated: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """The FMU, as if built for a platform. stated: units of variables. Skips the test where there
    is no C compiler.
    """
    unit = {name: f'unit="{stated[name]}"' if name in stated else "" for name in (*SETTABLE, *READ)}
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler (cc or gcc) to build an FMU with")
    library = folder / "oscillator.so"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", library, SOURCE], check=True)
    lines = [
        f'<ScalarVariable name="{name}" valueReference="{ref}" causality="parameter" '
        f'variability="fixed" initial="exact"><Real {unit[name]} start="{value}"/></ScalarVariable>'
        for ref, (name, value) in enumerate(SETTABLE.items())
    ]
    lines += [
        f'<ScalarVariable name="{name}" valueReference="{ref}" causality="output" '
        f'variability="continuous" initial="calculated"><Real {unit[name]}/></ScalarVariable>'
        for name, ref in READ.items()
    ]
    lines.append(
        '<ScalarVariable name="copies" valueReference="7" causality="parameter" '
        'variability="fixed" initial="exact"><Integer start="1"/></ScalarVariable>'
    )
    file = folder / "oscillator.fmu"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(
            "modelDescription.xml",
            DESCRIPTION.format(kind=kind, variables="\n".join(lines), units=UNITS),
        )
        packed.write(library, f"binaries/{platform}/oscillator.so")
    return file


def position(
    time_s: np.ndarray, *, stiffness: float, damping: float, mass: float, start: float
) -> np.ndarray:
    """Where an oscillator that was let go at `start` is; damped below the critical."""
    natural = np.sqrt(stiffness / mass)
    ratio = damping / (2 * np.sqrt(stiffness * mass))
    damped = natural * np.sqrt(1 - ratio**2)
    swing = np.cos(damped * time_s) + ratio * natural / damped * np.sin(damped * time_s)
    return start * np.exp(-ratio * natural * time_s) * swing
