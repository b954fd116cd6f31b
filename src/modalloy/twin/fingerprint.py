"""What the rows of a twin depend on, and its fingerprint: by these a twin that changed is told."""

import hashlib
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, assert_never

from modalloy.errors import TwinError
from modalloy.twin.twin import (
    CommandSimulator,
    FmuSimulator,
    NoSimulator,
    PythonSimulator,
    Simulator,
    Twin,
)


def fingerprint(twin: Twin) -> str:
    """SHA-256 of `content`, in hexadecimal; the same wherever the twin lies."""
    text = json.dumps(content(twin), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def content(twin: Twin) -> dict[str, Any]:
    """Name, variables, hidden parameters, outputs and simulator, with the SHA-256 of its files.

    Limits and the seed are left out: they decide which runs there are, not what a run tells. Of a
    Python function that is installed in a package all files of its folder count; of any other its
    own file; of a command every file among its words.
    """
    said = twin.model_dump(
        mode="json", by_alias=True, exclude={"limits", "seed"}, exclude_none=True
    )
    # Plans fill variables in their order, which JSON objects do not keep.
    said["order"] = [*twin.variables, *twin.hidden, *twin.outputs]
    files = {path.name: digest(path) for path in files_of(twin.simulator)}
    said["simulator"] = _placeless(twin.simulator) | {"files": files}
    return said


def _placeless(simulator: Simulator) -> dict[str, Any]:
    """The options of a simulator without where they lie."""
    said = simulator.model_dump(mode="json", exclude={"folder"})
    match simulator:
        case PythonSimulator(use=use):
            place, _, function = use.rpartition(":")
            return said | {"use": f"{os.path.basename(place)}:{function}"}
        case CommandSimulator() | NoSimulator():
            return said
        case FmuSimulator(file=file):
            return said | {"file": file.name}
        case _:
            assert_never(simulator)


def files_of(simulator: Simulator) -> Iterator[Path]:
    """The files that a simulator is made of, as far as they can be told."""
    match simulator:
        case PythonSimulator(use=use):
            place = use.rpartition(":")[0]
            spec = None if place.endswith(".py") else find_spec(place)
            if place.endswith(".py"):
                yield Path(place)
            elif spec is not None and spec.origin is not None:
                own = Path(spec.origin)
                yield from sorted(own.parent.glob("*.py")) if "." in place else [own]
        case CommandSimulator(run=run, folder=folder):
            yield from (path for word in run if (path := folder / word).is_file())
        case FmuSimulator(file=file):
            yield file
        case NoSimulator():
            return
        case _:
            assert_never(simulator)


def digest(path: Path) -> str:
    """SHA-256 of a file; TwinError where it has gone since the twin was read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TwinError(f"{path}: cannot be read ({error.strerror}).") from error
