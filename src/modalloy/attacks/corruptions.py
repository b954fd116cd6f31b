"""What goes wrong without an attacker, at five severities: noise, blur, gain, offset and the like.

They serve for curves beside attacks and, drawn at random, as training views. Names and idea are of
Hendrycks & Dietterich 2019 (1903.12261); sizes for sensors are ours.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from modalloy.attacks import corrupt_pictures, corrupt_plain, corrupt_signals
from modalloy.errors import JobError
from modalloy.job.options import did_you_mean
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.reader import Reader

SEVERITIES = (1, 2, 3, 4, 5)
# Which kinds of column each of them can befall.
CORRUPTIONS: dict[str, tuple[str, ...]] = {
    "noise": ("image", "audio", "series", "vector", "number", "category"),
    "blur": ("image", "audio", "series"),
    "gain": ("image", "audio", "series", "vector", "number"),
    "offset": ("image", "audio", "series", "vector", "number", "time"),
    "dropout": ("image", "audio", "series", "vector", "number", "category", "time", "text"),
    "clipping": ("image", "audio", "series", "vector", "number"),
    "clock_skew": ("audio", "series", "time"),
    "dirt": ("image", "series"),
}


def corrupt(
    batch: Batch,
    readers: Mapping[str, Reader],
    kind: str,
    severity: int,
    *,
    draw: torch.Generator,
    columns: Collection[str] | None = None,
) -> Batch:
    """The rows as though this had happened to some columns, to all that it can befall for None.

    severity: 1 to 5. Missing cells stay missing; `dropout` of a plain cell makes it missing.
    Columns that the kind cannot befall are as they were. JobError for a kind that does not exist.
    """
    if kind not in CORRUPTIONS:
        raise JobError(
            f"corruption {kind!r} does not exist.{did_you_mean(kind, CORRUPTIONS)} There are: "
            f"{', '.join(CORRUPTIONS)}."
        )
    assert severity in SEVERITIES, "severities are 1 to 5"
    values = {i: dict(v) for i, v in batch.values.items()}
    present = dict(batch.present)
    for name, reader in readers.items():
        if not (columns is None or name in columns) or reader.kind not in CORRUPTIONS[kind]:
            continue
        if reader.kind in TABULAR:
            given = (values[TABLE], present[TABLE], readers, name, kind, severity)
            present[TABLE] = corrupt_plain.corrupt_cell(*given, draw)
            continue
        held = values[name]
        if "features" in held:
            raise JobError(
                f"columns.{name}: the batch holds what its frozen encoder said, not its cells, "
                "which a corruption changes; read it with a loader that keeps no features."
            )
        key, after = corrupt_media(held, reader.kind, kind, severity, draw)
        here = present[name].reshape(-1, *(1 for _ in after.shape[1:]))
        held[key] = torch.where(here, after, held[key])
    return replace(batch, values=values, present=present)


def corrupt_media(
    held: Mapping[str, Tensor], of: str, kind: str, severity: int, draw: torch.Generator
) -> tuple[str, Tensor]:
    """The value of a media column that changes, and what it is then, rows first."""
    match of:
        case "image":
            return "pixels", corrupt_pictures.corrupt(held["pixels"], kind, severity, draw)
        case "audio":
            return "wave", corrupt_signals.corrupt_wave(held, kind, severity, draw)
        case "series":
            return "x", corrupt_signals.corrupt_series(held, kind, severity, draw)
        case "vector":
            return "x", corrupt_plain.corrupt_list(held["x"], kind, severity, draw)
        case _:
            return "mask", corrupt_plain.drop_pieces(held["mask"], severity, draw)


def befalls(kind: str, readers: Mapping[str, Reader]) -> list[str]:
    """The columns that a corruption can befall."""
    return [name for name, reader in readers.items() if reader.kind in CORRUPTIONS[kind]]
