"""A twin as worker processes need it: its simulator, outputs and limits as plain values."""

import sys
from typing import assert_never

from modalloy.errors import TwinError
from modalloy.twin.outputs import CategoryOutput
from modalloy.twin.rules import PYTHON
from modalloy.twin.runs import Expected, RunLimits
from modalloy.twin.simulators.build import Simulator
from modalloy.twin.simulators.command import Command
from modalloy.twin.simulators.fmu import Fmu
from modalloy.twin.simulators.python_function import PythonFunction
from modalloy.twin.twin import CommandSimulator, FmuSimulator, NoSimulator, PythonSimulator, Twin


def simulator_of(twin: Twin) -> Simulator:
    """What runs it. As the program of a command, `python` is the one that runs Modalloy."""
    match twin.simulator:
        case NoSimulator():
            raise TwinError(
                f"{twin.name}: has no simulator, so nothing can be run; give rows of experiments."
            )
        case PythonSimulator(use=use):
            return PythonFunction(use, "")
        case CommandSimulator(run=run, exchange=exchange, folder=folder):
            first = sys.executable if run[0] == PYTHON else run[0]
            return Command((first, *run[1:]), exchange, str(folder))
        case FmuSimulator(file=file, stop_time_s=stop_time_s, step_s=step_s, at=at):
            return Fmu(str(file), stop_time_s, step_s, at, units_of(twin))
        case _:
            assert_never(twin.simulator)


def units_of(twin: Twin) -> dict[str, str]:
    """Units of what a simulator is given and tells, where the twin says one."""
    named = {**twin.variables, **twin.hidden, **twin.outputs}
    units = {name: getattr(one, "unit", None) for name, one in named.items()}
    return {name: unit for name, unit in units.items() if unit}


def expected_of(twin: Twin) -> dict[str, Expected]:
    """What a run has to tell."""
    return {
        name: Expected(o.type, o.labels if isinstance(o, CategoryOutput) else ())
        for name, o in twin.outputs.items()
    }


def limits_of(twin: Twin) -> RunLimits:
    """What a run may take."""
    return RunLimits(**twin.limits.model_dump())
