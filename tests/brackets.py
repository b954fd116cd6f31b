"""A bracket in the middle of its variables, for tests."""

from typing import Any

MIDDLE: dict[str, Any] = {
    "x1": 230.0,
    "y1": 60.0,
    "x2": 230.0,
    "y2": -60.0,
    **{f"diameter_{m}": 20.0 for m in range(1, 7)},
    **{f"wall_{m}": 1.5 for m in range(1, 7)},
    **{f"wall_scatter_{m}": 0.0 for m in range(1, 7)},
    "material": "steel",
}
