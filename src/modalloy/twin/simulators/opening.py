"""Opens a simulator in the worker process that runs it.

Only its own kind is imported: a process that is replaced every 200 runs has to start fast.
"""

from collections.abc import Collection
from typing import Any, Literal, TypedDict, assert_never

from modalloy.twin.runs import Simulate


class Described(TypedDict):
    """A simulator as JSON."""

    kind: Literal["python", "command", "fmu"]
    given: dict[str, Any]


def opened(simulator: Described, outputs: Collection[str]) -> Simulate:
    """What runs once: a callable (values, *, seed, folder) that returns outputs by name.

    TwinError where it cannot be opened.
    """
    given = simulator["given"]
    match simulator["kind"]:
        case "python":
            from modalloy.twin.simulators.python_function import PythonFunction, open_function

            return open_function(PythonFunction(**given))
        case "command":
            from modalloy.twin.simulators.command import Command, open_command

            return open_command(Command(**given))
        case "fmu":
            from modalloy.twin.simulators.fmu import Fmu, open_fmu

            return open_fmu(Fmu(**given), outputs)
        case never:
            assert_never(never)
