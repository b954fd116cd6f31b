"""The space for all columns that a run has learned, if it has: one part of it."""

import hashlib
from typing import TYPE_CHECKING

from modalloy.runs.run import Run

if TYPE_CHECKING:
    from modalloy.model.space import Space

SPACE = "space.safetensors"
MADE_BY = ("schema.json", "model.safetensors", SPACE)  # what vectors of rows depend on


def space_of(run: Run) -> "Space | None":
    """The space of a run, on the device of no one yet; None where it has learned none."""
    if SPACE not in run.sealed:
        return None
    from modalloy.model.space import Space

    return Space.from_bytes(run.part(SPACE))


def vectors_made_by(run: Run) -> str:
    """Names what the vectors of rows depend on in a run: two runs that make the same ones have the
    same name, whatever else was added to them.
    """
    parts = [f"{p} {run.sealed[p]}" for p in MADE_BY if p in run.sealed]
    adapter = f"adapter.{run.adapter}.safetensors"
    parts += [f"adapter {run.sealed[adapter]}"] if run.adapter and adapter in run.sealed else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
