"""A blend as one part of a run: arrays of its methods, and all else as JSON in their heading."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.blend.mixture import NOTHING, Blend, Mixture
from modalloy.classical.method import method_from_state
from modalloy.errors import RunError
from modalloy.readers.reader import Reader
from modalloy.runs.run import Run

PART = "blend.safetensors"
FORM = 1  # of what this version writes
KEY = "blend"  # of the heading


def blend_to_bytes(blend: Blend) -> bytes:
    """What `blend_from_bytes` needs; the same blend is the same bytes."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    tasks = {}
    for task, mixture in blend.tasks.items():
        methods = []
        for weight, method in mixture.methods:
            meta, own = method.state()
            at = f"{task}/{len(methods)}/"
            arrays |= {at + name: np.ascontiguousarray(a) for name, a in own.items()}
            methods.append({"weight": weight, "meta": meta, "arrays": list(own)})
        tasks[task] = {
            "network": mixture.network, "heads": dict(mixture.heads), "methods": methods
        }  # fmt: skip
    said = {"form": FORM, "widths": dict(blend.widths), "tasks": tasks}
    return save(arrays, metadata={KEY: json.dumps(said, allow_nan=False)})


def blend_from_bytes(data: bytes, readers: Mapping[str, Reader]) -> Blend:
    """The blend that was kept. RunError for what this version does not know."""
    from safetensors.numpy import load

    heading = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    said = json.loads(heading["__metadata__"][KEY])
    if said["form"] > FORM:
        raise RunError(f"{PART}: made by a newer version (form {said['form']}); upgrade modalloy.")
    arrays = load(data)

    def method_of(task: str, number: int, kept: dict[str, Any]) -> tuple[float, Any]:
        own = {name: arrays[f"{task}/{number}/{name}"] for name in kept["arrays"]}
        return kept["weight"], method_from_state(kept["meta"], own, readers)

    tasks = {
        task: Mixture(
            mixture["network"],
            mixture["heads"],
            tuple(method_of(task, k, kept) for k, kept in enumerate(mixture["methods"])),
        )
        for task, mixture in said["tasks"].items()
    }
    return Blend(tasks, said["widths"])


def blend_of(run: Run) -> Blend:
    """What a run does to its network's answers; nothing where it has no such part."""
    return blend_from_bytes(run.part(PART), run.readers) if PART in run.sealed else NOTHING
