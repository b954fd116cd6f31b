"""Builds that never end or give nothing, as tests of a search ask for them."""

import time
from typing import Any


def hang(**given: Any) -> dict[str, Any]:
    """Never return."""
    while given:
        time.sleep(1.0)
    return {}


def crash(**given: Any) -> dict[str, Any]:
    """Raise."""
    raise ValueError(f"no engine takes {len(given)} arguments")
