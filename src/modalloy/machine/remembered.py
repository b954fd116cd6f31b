"""Answers that were measured on this machine, kept as JSON in a file of the user's cache folder."""

import json
from pathlib import Path
from typing import Any

from modalloy.errors import RunError
from modalloy.machine.files import locked, write_safely

MOST = 500  # answers that are kept, the newest
PATIENCE_S = 5.0  # that other processes have to keep theirs


def read(path: Path | None) -> dict[str, Any]:
    """All answers that are kept; none of a file that is absent or damaged."""
    try:
        found = json.loads(path.read_text()) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def keep(path: Path | None, key: str, found: dict[str, Any]) -> None:
    """Keep an answer beside the others.

    A place that cannot be written, or is held for long, is no fault of whoever measured: it goes
    on.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may keep an answer of its own: neither is to write over the other's.
        with locked(path.with_suffix(".lock"), f"{path}: is in use.", patience_s=PATIENCE_S):
            answers = read(path)
            answers.pop(key, None)
            answers[key] = found
            newest = dict(list(answers.items())[-MOST:])
            write_safely(path, json.dumps(newest, indent=1).encode())
    except (OSError, RunError):
        return
