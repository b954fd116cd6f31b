"""What a child process is to do, written in a file for it, and what it writes back."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from modalloy.errors import FederationError, ModalloyError

ORDERS = "MODALLOY_FEDERATION"  # in the environment: the file that says what a child is to do


def load(path: str) -> Any:
    """`package.module:name`, imported; FederationError where it is not there."""
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise FederationError(f"{path}: nothing of that name can be imported ({error})") from error


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """JSON in a file, there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(facts))
    partial.replace(path)


def read_facts(path: Path) -> dict[str, Any]:
    """What `write_facts` has written."""
    return json.loads(path.read_text())


def tell(error: Exception) -> str:
    """An error as its user reads it: ours are sentences, others need their kind."""
    return str(error) if isinstance(error, ModalloyError) else f"{type(error).__name__}: {error}"
