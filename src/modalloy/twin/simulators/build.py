"""Which kinds of simulators there are: each checked before anything runs, sent to a worker, opened.

A simulator travels to its worker processes as JSON, so each kind is a plain tuple of values.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, assert_never

from modalloy.twin.runs import Expected, Simulate
from modalloy.twin.simulators.command import Command, check_command, open_command
from modalloy.twin.simulators.fmu import Fmu, open_fmu
from modalloy.twin.simulators.python_function import PythonFunction, open_function

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
            from modalloy.twin.simulators.fmu_check import prepare_fmu  # no worker needs it

            return prepare_fmu(simulator, variables, outputs, folder)
        case _:
            assert_never(simulator)


def opened(simulator: Simulator, outputs: Collection[str]) -> Simulate:
    """What runs once: a callable (values, *, seed, folder) that returns outputs by name.

    TwinError where it cannot be opened.
    """
    match simulator:
        case PythonFunction():
            return open_function(simulator)
        case Command():
            return open_command(simulator)
        case Fmu():
            return open_fmu(simulator, outputs)
        case _:
            assert_never(simulator)


def described(simulator: Simulator) -> dict[str, Any]:
    """The simulator as JSON."""
    return {"kind": type(simulator).__name__, **simulator._asdict()}


def restored(described: Mapping[str, Any]) -> Simulator:
    """What `described` tells of."""
    given = dict(described)
    match given.pop("kind"):
        case "PythonFunction":
            return PythonFunction(**given)
        case "Command":
            return Command(**given | {"run": tuple(given["run"])})
        case _:
            return Fmu(**given)
