"""What trials of number types found on this machine, kept for the next training."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from modalloy import __version__
from modalloy.errors import RunError
from modalloy.machine.files import locked, write_safely
from modalloy.machine.fingerprint import processor
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.pretext import Pretraining

MOST = 500  # answers that are kept, the newest
PATIENCE_S = 5.0  # that other trainings have to keep theirs


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


def keep(path: Path | None, key: str, found: dict[str, Any]) -> None:
    """Keep an answer beside the others.

    A place that cannot be written, or is held for long, is no fault of the training: it goes on.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another training may keep an answer of its own: neither is to write over the other's.
        with locked(path.with_suffix(".lock"), f"{path}: is in use.", patience_s=PATIENCE_S):
            answers = read(path)
            answers.pop(key, None)
            answers[key] = found
            newest = dict(list(answers.items())[-MOST:])
            write_safely(path, json.dumps(newest, indent=1).encode())
    except (OSError, RunError):
        return


def read(path: Path | None) -> dict[str, Any]:
    """All answers that are kept; none of a file that is absent or damaged."""
    try:
        found = json.loads(path.read_text()) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
