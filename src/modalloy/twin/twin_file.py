"""Loading twin files; all faults come in one error, with file and line."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.errors import TwinError
from modalloy.job.faults import Fault, as_json, validate_as
from modalloy.job.job_file import told
from modalloy.job.options import did_you_mean
from modalloy.job.page import Page
from modalloy.twin.rules import broken_rules
from modalloy.twin.twin import (
    CommandSimulator,
    FmuSimulator,
    NoSimulator,
    PythonSimulator,
    Simulator,
    Twin,
)

SHIPPED = ("bracket", "weld")  # twins that come with Modalloy, each in a folder of its name
LARGEST_BYTES = 1_000_000

Source = str | Path | Mapping[str, Any] | Twin


def load_twin(source: Source) -> Twin:
    """Read and validate a twin: a path, `bracket` or `weld`, YAML text, or a mapping.

    A text is YAML where it holds a line break. Paths come out absolute; relative ones start at the
    twin file's folder. Raises TwinError with one line a fault: `plant.yaml:7: variables.x1: ...`.
    """
    if isinstance(source, Twin):
        return source
    page, name, folder = _open(source)
    if page.data is None:
        faults = page.faults or [Fault((), "is empty; docs/twin.md shows what a twin holds.")]
        raise TwinError(told(faults, page, name))
    found = validate_as(Twin, page.data, schema_of_twin())
    faults = {} if isinstance(found, Twin) else {fault.path: fault for fault in found}
    for fault in broken_rules(page.data, folder):
        faults.setdefault(fault.path, fault)
    everything = page.faults + list(faults.values())
    if everything or not isinstance(found, Twin):
        raise TwinError(told(everything, page, name))
    return found.model_copy(update={"simulator": _rooted(found.simulator, folder)})


@functools.cache
def schema_of_twin() -> dict[str, Any]:
    """JSON schema of a twin file."""
    return Twin.model_json_schema()


def _rooted(simulator: Simulator, folder: Path) -> Simulator:
    """A simulator with its paths from the root."""
    match simulator:
        case PythonSimulator(use=use):
            place, _, function = use.rpartition(":")
            if not place.endswith(".py"):
                return simulator
            use = f"{os.path.abspath(folder / place)}:{function}"
            return simulator.model_copy(update={"use": use})
        case NoSimulator():
            return simulator
        case CommandSimulator():
            return simulator.model_copy(
                update={"folder": Path(os.path.abspath(folder / simulator.folder))}
            )
        case FmuSimulator():
            return simulator.model_copy(
                update={"file": Path(os.path.abspath(folder / simulator.file))}
            )


def _open(source: str | Path | Mapping[str, Any]) -> tuple[Page, str, Path]:
    """What the source holds, the name that faults give it, and where relative paths start."""
    from modalloy.job.lined_yaml import read_page

    if isinstance(source, Mapping):
        return Page(json.loads(as_json(dict(source)))), "twin", Path()
    if isinstance(source, str) and "\n" in source:
        return read_page(source), "twin", Path()
    path = Path(source)
    if str(source) in SHIPPED and not path.is_file():
        path = Path(__file__).parent / str(source) / f"{source}.yaml"
    return read_page(_text(path)), str(path), path.parent


def _text(path: Path) -> str:
    """The text of a twin file, or a sentence."""
    if path.is_dir():
        raise TwinError(f"{path}: is a folder; give the twin file itself.")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise TwinError(f"{path}: is too large for a twin file; it should fit one page.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = [p.name for p in path.parent.glob("*.y*ml")] + list(SHIPPED)
        near = did_you_mean(path.name, known)
        ships = f" Twins that come with Modalloy: {', '.join(SHIPPED)}."
        raise TwinError(f"{path}: no such file.{near or ships}") from None
    except UnicodeDecodeError as error:
        raise TwinError(f"{path}: is not text in UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise TwinError(f"{path}: cannot be read ({error.strerror}).") from error
