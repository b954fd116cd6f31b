"""A reference as one part of a run: arrays, and all else as JSON in their heading."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from modalloy.drift.sketch import Sketch
from modalloy.errors import RunError
from modalloy.observing.reference import Counts, Reference, Spread
from modalloy.observing.seen import Feature, Say
from modalloy.runs.run import Run

PART = "watch.safetensors"
FORM = 1  # of what this version writes
KEY = "watch"  # of the heading


def reference_to_bytes(reference: Reference) -> bytes:
    """What `reference_from_bytes` needs; the same one is the same bytes."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    for i, (feature, spread) in enumerate(reference.numbers.items()):
        form = np.float32 if feature.of else np.float64  # descriptions were made in float32
        arrays |= {f"n{i}/{k}": s.points_K.astype(form) for k, s in zip("oa", spread, strict=True)}
    for i, counts in enumerate(reference.names.values()):
        arrays |= {f"c{i}/{k}": c.astype(np.int64) for k, c in zip("lh", counts, strict=True)}
    for i, x_VF in enumerate(reference.vectors.values()):
        arrays[f"v{i}"] = np.clip(x_VF, -6e4, 6e4).astype(np.float16)
    for i, said in enumerate(reference.said.values()):
        parts = said._asdict().items()
        arrays |= {f"s{i}/{k}": v.astype(np.float32) for k, v in parts if k != "kind"}
    told = {
        "form": FORM,
        "rows": reference.rows,
        "held": reference.held,
        "present": reference.present,
        "numbers": [[f.column, f.of, s.own.count] for f, s in reference.numbers.items()],
        "names": list(reference.names),
        "vectors": list(reference.vectors),
        "learned": sorted(reference.learned),
        "said": {task: said.kind for task, said in reference.said.items()},
    }
    arrays = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    return save(arrays, metadata={KEY: json.dumps(told, allow_nan=False)})


def reference_from_bytes(data: bytes) -> Reference:
    """What was kept. RunError for what this version does not know."""
    from safetensors.numpy import load

    heading = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told: dict[str, Any] = json.loads(heading["__metadata__"][KEY])
    if told["form"] > FORM:
        raise RunError(f"{PART}: made by a newer version (form {told['form']}); upgrade modalloy.")
    arrays = load(data)
    numbers = {
        Feature(column, of): Spread(
            *(Sketch(count, arrays[f"n{i}/{k}"].astype(np.float64)) for k in "oa")
        )
        for i, (column, of, count) in enumerate(told["numbers"])
    }
    names = {n: Counts(*(arrays[f"c{i}/{k}"] for k in "lh")) for i, n in enumerate(told["names"])}
    vectors = {n: arrays[f"v{i}"].astype(np.float32) for i, n in enumerate(told["vectors"])}
    said = {
        task: Say(kind, **{k: typed(k, arrays[f"s{i}/{k}"]) for k in Say._fields if k != "kind"})
        for i, (task, kind) in enumerate(told["said"].items())
    }
    learned = frozenset(told["learned"])
    rows, held = told["rows"], told["held"]
    return Reference(rows, held, told["present"], numbers, names, vectors, learned, said)


def with_answers(run: Run, said: Mapping[str, Say]) -> dict[str, bytes]:
    """A run's part with these answers in place of its own, for a run that answers otherwise from
    now on; no part where the run has none.

    Of a task that is not in `said` nothing is known any more.
    """
    kept = reference_of(run)
    return {} if kept is None else {PART: reference_to_bytes(replace(kept, said=dict(said)))}


def typed(name: str, array: np.ndarray) -> np.ndarray:
    """A part of answers as it was: numbers of names whole, all else float64."""
    return array.astype(np.int64 if name == "name_B" else np.float64)


def reference_of(run: Run) -> Reference | None:
    """What a run keeps of its rows; None where it has no such part."""
    return reference_from_bytes(run.part(PART)) if PART in run.sealed else None
