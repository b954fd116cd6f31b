"""A simulator that is a Python function: `simulate(values, *, seed, folder)`."""

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from modalloy.errors import TwinError
from modalloy.twin.runs import Simulate, told


class PythonFunction(NamedTuple):
    """use: `MODULE:FUNCTION` of what is installed, or `FILE.py:FUNCTION` of a file inside `folder`,
    which is absolute.
    """

    use: str
    folder: str


def open_function(function: PythonFunction) -> Simulate:
    """The function itself. TwinError where there is none that takes values, a seed and a folder."""
    place, _, name = function.use.rpartition(":")
    module = _module(function, place)
    found: Any = getattr(module, name, None)
    if found is None:
        named = [n for n, v in vars(module).items() if inspect.isfunction(v)]
        own = [n for n in named if vars(module)[n].__module__ == module.__name__]
        raise TwinError(
            f"simulator: {place} has no function '{name}'; it has {', '.join(own) or 'none'}."
        )
    try:
        inspect.signature(found).bind({}, seed=0, folder=Path())
    except (TypeError, ValueError) as error:
        raise TwinError(
            f"simulator: {function.use} cannot be called as {name}(values, seed=..., folder=...): "
            f"{error}."
        ) from error
    return found


def _module(function: PythonFunction, place: str) -> ModuleType:
    """The module, imported; TwinError says where its own code fails."""
    file = Path(function.folder, place)
    from_file = place.endswith(".py")
    if from_file and not file.is_file():
        raise TwinError(f"simulator: no file {file}.")
    try:
        return _run_file(file) if from_file else importlib.import_module(place)
    except BaseException as error:  # whatever its code does when it is imported
        raise TwinError(f"simulator: {place} cannot be imported: {told(error)}") from error


def _run_file(file: Path) -> ModuleType:
    """The module of a file; what lies beside it can be imported by it."""
    sys.path.insert(0, str(file.parent))
    name = f"simulator_{file.stem}" if file.stem in sys.modules else file.stem
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
