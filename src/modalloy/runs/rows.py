"""Fingerprints of the rows that a model learned from and was tested on, in a run directory."""

from pathlib import Path

from safetensors import SafetensorError

from modalloy.errors import RunError
from modalloy.machine.files import write_safely
from modalloy.runs.parts import ROWS
from modalloy.table.split import Parts


def save_prints(path: Path, prints: Parts) -> None:
    """Write the fingerprints of the rows of each part into a run directory."""
    from safetensors.numpy import save

    named = prints._asdict()
    if not len(prints.calibration):  # most runs have none, and older versions know none
        del named["calibration"]
    write_safely(path / ROWS, save(named))


def load_prints(path: Path) -> Parts | None:
    """What `save_prints` wrote, None where there is nothing; RunError where it is damaged."""
    from safetensors.numpy import load_file

    if not (path / ROWS).is_file():
        return None
    try:
        return Parts(**load_file(path / ROWS))
    except (SafetensorError, OSError, TypeError) as error:
        raise RunError(f"{path}/{ROWS} cannot be read: {error}") from error
