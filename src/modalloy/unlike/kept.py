"""What a run knows of its training rows as one part of it: arrays, and all else as JSON in their
heading.
"""

import json

import numpy as np

from modalloy.errors import RunError
from modalloy.runs.run import Run
from modalloy.unlike.likeness import Judged, Likeness
from modalloy.unlike.space import Space, Tail

PART = "unlike.safetensors"
FORM = 2  # of what this version writes; 1 scored by rarities, and saw no pooled vectors
KEY = "unlike"  # of the heading


def likeness_to_bytes(likeness: Likeness) -> bytes:
    """What `likeness_from_bytes` needs; the same one is the same bytes."""
    from safetensors.numpy import save

    arrays = {"patterns": likeness.patterns_PN.astype(np.uint8)}
    spaces = [*likeness.columns.values(), *likeness.fused]
    for s, (space, _, _) in enumerate(spaces):
        own = {"center": space.center_F, "scale": space.scale_F, "rows": space.rows_RF}
        arrays |= {f"{s}/{name}": np.ascontiguousarray(a) for name, a in own.items()}
    said = {
        "form": FORM if likeness.measure == "distance" else 1,
        "columns": list(likeness.columns),
        "names": list(likeness.names),
        "tails": [tail._asdict() for _, tail, _ in spaces],
        "units": [unit for _, _, unit in spaces],
        "pooled": list(likeness.pooled),
        "share": likeness.share,
        "limit": likeness.limit,
        "said": dict(likeness.said),
    }
    return save(arrays, metadata={KEY: json.dumps(said, allow_nan=False)})


def likeness_from_bytes(data: bytes) -> Likeness:
    """What was kept. RunError for what this version does not know."""
    from safetensors.numpy import load

    heading = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    said = json.loads(heading["__metadata__"][KEY])
    if said["form"] > FORM:
        raise RunError(f"{PART}: made by a newer version (form {said['form']}); upgrade modalloy.")
    arrays = load(data)
    units = said.get("units", [1.0] * len(said["tails"]))
    spaces = [
        Judged(
            Space(*(arrays[f"{s}/{name}"] for name in ("center", "scale", "rows"))),
            Tail(**tail),
            unit,
        )
        for s, (tail, unit) in enumerate(zip(said["tails"], units, strict=True))
    ]
    count = len(said["columns"])
    return Likeness(
        dict(zip(said["columns"], spaces[:count], strict=True)),
        said["names"],
        arrays["patterns"].astype(bool),
        spaces[count:],
        said["share"],
        said["limit"],
        said["said"],
        tuple(said.get("pooled", ())),
        "rarity" if said["form"] == 1 else "distance",
    )


def likeness_of(run: Run) -> Likeness | None:
    """What a run knows of its training rows; None where it has no such part."""
    return likeness_from_bytes(run.part(PART)) if PART in run.sealed else None
