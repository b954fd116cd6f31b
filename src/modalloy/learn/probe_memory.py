"""What trials of number types found on this machine, kept for the next training."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from modalloy import __version__
from modalloy.machine.fingerprint import processor
from modalloy.machine.remembered import read
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.pretext import Pretraining


def key_of(model: Model | Pretraining, batch: Batch) -> str:
    """Tells versions, machines, models and shapes apart, as far as they change a step's seconds.

    Sizes that follow the rows of a batch, as the length of its longest text, count by powers of 2.
    """
    job = model.body.job
    media = {n: o.model_dump(mode="json") for n, o in job.columns.items() if n in model.body.inputs}
    sizes = {n: {k: rounded(t.shape[1:]) for k, t in v.items()} for n, v in batch.values.items()}
    facts = {
        "modalloy": __version__,
        "machine": machine(),
        "media": media,
        "fuse": job.fuse.model_dump(mode="json"),
        "tasks": sorted(t.type for t in job.tasks.values()),
        "learned": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "rows": len(batch),
        "sizes": sizes,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def rounded(shape: torch.Size) -> list[int]:
    """Sizes, up to the next power of 2."""
    return [1 << (size - 1).bit_length() if size else 0 for size in shape]


def machine() -> list[Any]:
    """Processor, cores in use, accelerator and torch."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return [processor(), torch.get_num_threads(), gpu, torch.__version__]


def recall(path: Path | None, key: str) -> dict[str, Any] | None:
    """What was kept under a key; None where nothing was, or the file is damaged."""
    match read(path).get(key):
        case {"half": bool(half), "channels_last": bool(last), "seconds": dict(seconds)}:
            return {"half": half, "channels_last": last, "seconds": seconds}
        case _:
            return None
