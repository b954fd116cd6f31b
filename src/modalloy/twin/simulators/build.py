"""Which kinds of simulators there are, and what is wrong with one before anything runs."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, assert_never

from modalloy.twin.runs import Expected
from modalloy.twin.simulators.command import Command, check_command
from modalloy.twin.simulators.fmu import Fmu
from modalloy.twin.simulators.fmu_check import prepare_fmu
from modalloy.twin.simulators.opening import Described
from modalloy.twin.simulators.python_function import PythonFunction

Simulator = PythonFunction | Command | Fmu


def prepared(
    simulator: Simulator,
    variables: Collection[str],
    outputs: Mapping[str, Expected],
    folder: Path,
) -> Simulator:
    """The simulator as workers open it; what has to be unpacked once is unpacked into `folder`.

    TwinError where it can be told without a worker that no run would succeed.
    """
    match simulator:
        case PythonFunction():
            return simulator
        case Command():
            check_command(simulator)
            return simulator
        case Fmu():
            return prepare_fmu(simulator, variables, outputs, folder)
        case _:
            assert_never(simulator)


def described(simulator: Simulator) -> Described:
    """A simulator as it travels to workers, as JSON."""
    given: dict[str, Any] = simulator._asdict()
    match simulator:
        case PythonFunction():
            return {"kind": "python", "given": given}
        case Command():
            return {"kind": "command", "given": given}
        case Fmu():
            return {"kind": "fmu", "given": given}
        case _:
            assert_never(simulator)
