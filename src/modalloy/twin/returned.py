"""Whether a simulator returned what it was asked for: every output, finite, files written."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.twin.runs import Expected, NonsenseRun

SHOWN = 60  # characters of a value that are told


def checked(returned: Any, expected: Mapping[str, Expected], folder: Path) -> dict[str, Any]:
    """The outputs that are expected, as JSON holds them; media as paths inside `folder`.

    NonsenseRun says what is wrong with the first one that is. More outputs than expected are fine.
    """
    if not isinstance(returned, Mapping):
        raise NonsenseRun(f"It returned {_shown(returned)} instead of its outputs by name.")
    lacking = [name for name in expected if name not in returned]
    if lacking:
        told = ", ".join(str(name) for name in returned) or "nothing"
        raise NonsenseRun(f"It did not return '{lacking[0]}'; it returned {told[:SHOWN]}.")
    return {name: _value(name, returned[name], e, folder) for name, e in expected.items()}


def _value(name: str, value: Any, expected: Expected, folder: Path) -> Any:
    """One output; NonsenseRun where it is none."""
    match expected.kind:
        case "number":
            return _number(name, value)
        case "text" | "category":
            return _words(name, value, expected)
        case _:
            return _file(name, value, folder)


def _number(name: str, value: Any) -> float:
    """A finite number; numpy's numbers of one element are numbers too."""
    if not isinstance(value, int | float) and getattr(value, "size", None) == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NonsenseRun(f"'{name}' is {_shown(value)}, not a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise NonsenseRun(f"'{name}' is {number}, not a finite number.")
    return number


def _words(name: str, value: Any, expected: Expected) -> str:
    """A text, or one of the labels."""
    if not isinstance(value, str):
        raise NonsenseRun(f"'{name}' is {_shown(value)}, not text.")
    if expected.labels and value not in expected.labels:
        known = ", ".join(expected.labels)
        raise NonsenseRun(f"'{name}' is {_shown(value)}, which is none of its labels: {known}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NonsenseRun(f"'{name}' is {_shown(value)}, which no file can hold.") from None
    return value


def _file(name: str, value: Any, folder: Path) -> str:
    """Where a file that was written lies inside its folder."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise NonsenseRun(f"'{name}' is {_shown(value)}, not the name of a file in its folder.")
    home = folder.resolve()
    path = (home / value).resolve()
    if not path.is_relative_to(home):
        raise NonsenseRun(f"'{name}': the file {_shown(str(value))} is outside the run's folder.")
    if not path.is_file():
        raise NonsenseRun(f"'{name}': the file {_shown(str(value))} was not written.")
    if path.stat().st_size == 0:
        raise NonsenseRun(f"'{name}': the file {_shown(str(value))} is empty.")
    return path.relative_to(home).as_posix()


def _shown(value: Any) -> str:
    """A value in words, shortened."""
    text = " ".join(repr(value).split())
    shown = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    return f"{shown}" if isinstance(value, str) else f"{shown} ({type(value).__name__})"
