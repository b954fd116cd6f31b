"""Which kinds of simulators there are: each checked before anything runs, sent to a worker, opened.

A simulator travels to its worker processes as JSON, so each kind is a plain tuple of values.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, assert_never

from modalloy.twin.runs import Simulate
from modalloy.twin.simulators.python_function import PythonFunction, open_function

Simulator = PythonFunction


def prepared(
    simulator: Simulator, variables: Collection[str], outputs: Collection[str], folder: Path
) -> Simulator:
    """The simulator as workers open it; what has to be unpacked once is unpacked into `folder`.

    TwinError where it can be told without a worker that no run would succeed.
    """
    match simulator:
        case PythonFunction():
            return simulator
        case _:
            assert_never(simulator)


def opened(simulator: Simulator) -> Simulate:
    """What runs once: a callable (values, *, seed, folder) that returns outputs by name.

    TwinError where it cannot be opened.
    """
    match simulator:
        case PythonFunction():
            return open_function(simulator)
        case _:
            assert_never(simulator)


def described(simulator: Simulator) -> dict[str, Any]:
    """The simulator as JSON."""
    return {"kind": type(simulator).__name__, **simulator._asdict()}


def restored(told: dict[str, Any]) -> Simulator:
    """What `described` has told."""
    kinds = {kind.__name__: kind for kind in (PythonFunction,)}
    return kinds[told.pop("kind")](**told)
