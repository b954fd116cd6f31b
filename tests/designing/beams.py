"""The cantilever of beam_twin.py as a twin's file."""

from pathlib import Path
from typing import Any

BEAM: dict[str, Any] = {
    "name": "beam",
    "variables": {
        "width": {"type": "continuous", "low": 5.0, "high": 50.0, "unit": "mm"},
        "height": {"type": "continuous", "low": 20.0, "high": 100.0, "unit": "mm"},
        "metal": {"type": "categorical", "choices": ["steel", "aluminium"]},
    },
    "outputs": {
        "mass": {"type": "number", "unit": "kg"},
        "deflection": {"type": "number", "unit": "mm"},
    },
    "simulator": {"type": "python", "use": f"{Path(__file__).parent / 'beam_twin.py'}:simulate"},
    "limits": {"seconds": 5, "retries": 0},
}
